# SPDX-License-Identifier: GPL-2.0-only
"""Pictures, films and sounds in the notebook's folder, as data URLs, so that a page is one file.

A picture that is too large is embedded with fewer pixels. Films and sounds share a limit for the whole notebook.
"""

from __future__ import annotations

import base64
import hashlib
import io
import mimetypes
import re
from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from ..errors import DataError
from ..files import read_bytes
from .notices import Say, ignore

MAX_PICTURE = 3 << 20
"""The size of the largest picture that is embedded as it is, in bytes."""

MAX_SIDE = 2560
"""The longest side of a larger picture after its reduction, in pixels."""

MAX_MEDIA = 20_000_000
"""The size of all films and sounds of a notebook together, in bytes."""

NOT_A_FILE = "it isn't a file in the notebook's folder"
ON_THE_WEB = "it is on the web, and nothing is fetched"


class LeftOut(Exception):
    """Something can't be embedded; the message is the reason, a sentence without its full stop."""


class MediaFolder:
    """The files in a notebook's folder. ``folder`` may be None: then there are none."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self._sizes = dict[str, int]()
        """The sizes of the films and sounds that are embedded, each once, by the hash of its content."""

    def picture(self, address: str, say: Say = ignore) -> str:
        """Return a picture as a data URL. Raises LeftOut if that isn't possible. ``say``: if it has fewer pixels now."""
        if address.startswith("data:"):
            return _smaller(address, say)
        path, kind = self._file(address)
        if not kind.startswith("image/"):
            raise LeftOut("it isn't a picture that browsers know")
        size = path.stat().st_size
        if size <= MAX_PICTURE:
            return _data_url(kind, _content(path, MAX_PICTURE))
        if kind == "image/gif":  # it may move, and counts as a film
            return self._admitted(_data_url(kind, _content(path, MAX_MEDIA)))
        reduced = None if kind == "image/svg+xml" else _reduced(path)
        if reduced is None:
            raise LeftOut(f"it has {size / 1e6:.1f} MB, and the limit is {MAX_PICTURE / 1e6:.1f} MB")
        say(f"the picture {address} has {size / 1e6:.1f} MB; it is embedded with at most {MAX_SIDE} pixels a side")
        return reduced

    def recording(self, address: str) -> str:
        """Return a film or a sound as a data URL. Raises LeftOut if that isn't possible, or if there is no more room."""
        if not address.startswith("data:"):
            path, kind = self._file(address)
            if not kind.startswith(("video/", "audio/")):
                raise LeftOut("it isn't a film or a sound that browsers know")
            if path.stat().st_size > MAX_MEDIA:
                raise self._no_room(path.stat().st_size, MAX_MEDIA)
            address = _data_url(kind, _content(path, MAX_MEDIA))
        return self._admitted(address)

    def _admitted(self, address: str) -> str:
        """Return a data URL if there is room for it. Raises LeftOut."""
        name, size = hashlib.sha256(address.encode()).hexdigest(), len(address) * 3 // 4
        room = MAX_MEDIA - sum(self._sizes.values()) + self._sizes.get(name, 0)
        if size > room:
            raise self._no_room(size, room)
        self._sizes[name] = size
        return address

    def kind(self, address: str) -> str:
        """Return the MIME type of an address, "" if it isn't known."""
        if address.startswith("data:"):
            return address[5:].partition(",")[0].partition(";")[0]
        return mimetypes.guess_type(urlsplit(address).path)[0] or ""

    def _file(self, address: str) -> tuple[Path, str]:
        try:
            parts = urlsplit(address)
        except ValueError:
            raise LeftOut(NOT_A_FILE) from None
        if parts.netloc or parts.scheme in ("http", "https"):
            raise LeftOut(ON_THE_WEB)
        if parts.scheme or not parts.path or self.folder is None:
            raise LeftOut(NOT_A_FILE)
        try:
            path, root = (self.folder / unquote(parts.path)).resolve(), self.folder.resolve()
            if not path.is_relative_to(root):
                raise LeftOut("it isn't in the notebook's folder")
            if not path.is_file():
                raise LeftOut("there is no such file")
        except (OSError, ValueError, RuntimeError):  # a name that no file can have, or links in a circle
            raise LeftOut("there is no such file") from None
        return path, mimetypes.guess_type(path.name)[0] or ""

    @staticmethod
    def _no_room(size: int, room: int) -> LeftOut:
        total = f"{MAX_MEDIA / 1e6:.0f} MB of films and sounds"
        return LeftOut(f"it has {size / 1e6:.1f} MB, and there is room for {max(0, room) / 1e6:.1f} of {total}")


NOWHERE = MediaFolder()
"""The files of markup that belongs to no folder: none."""


def data_text(address: str) -> str:
    """Return the text in a data URL."""
    head, _, content = address.partition(",")
    raw = unquote_to_bytes(content)
    return (base64.b64decode(raw, validate=False) if head.endswith(";base64") else raw).decode("utf-8", "replace")


def _content(path: Path, most: int) -> bytes:
    try:
        return read_bytes(path, most)
    except DataError:
        raise LeftOut("it can't be read, or is too large") from None


def _data_url(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _smaller(address: str, say: Say) -> str:
    """Return a data URL; if it is that of a large picture, with fewer pixels."""
    kind, _, content = address.partition(";base64,")
    size = len(content) * 3 // 4
    if size <= MAX_PICTURE or kind not in ("data:image/png", "data:image/jpeg", "data:image/webp", "data:image/bmp"):
        return address
    try:
        reduced = _reduced(io.BytesIO(base64.b64decode(content)))
    except ValueError:
        return address
    if reduced is None:
        return address
    say(f"a picture of {size / 1e6:.1f} MB is embedded with at most {MAX_SIDE} pixels a side")
    return reduced


def _reduced(path: Path | io.BytesIO) -> str | None:
    """Return a large picture with fewer pixels, or None if it can't be read, or is too large even so."""
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as picture:
            picture.draft("RGB", (MAX_SIDE, MAX_SIDE))
            small = ImageOps.exif_transpose(picture)
            small.thumbnail((MAX_SIDE, MAX_SIDE))
            transparent = small.mode in ("RGBA", "LA", "PA") or "transparency" in small.info
            for kind, mode, options in (
                ("png", "RGBA" if transparent else "RGB", {"optimize": True}),
                ("webp", "RGBA" if transparent else "RGB", {"quality": 85}),
            ):
                file = io.BytesIO()
                small.convert(mode).save(file, kind, **options)
                if file.tell() <= MAX_PICTURE:
                    return _data_url(f"image/{kind}", file.getvalue())
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None
    return None


def pixels(address: str) -> str:
    """Return a data URL without line breaks and spaces, which some programs put into long ones."""
    return re.sub(r"\s|\\", "", address)
