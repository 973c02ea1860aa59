# SPDX-License-Identifier: GPL-2.0-only
"""A user's style sheet: it comes after all other styles of a deck, and like the deck it is self-contained."""

from __future__ import annotations

import base64
import mimetypes
import re
from pathlib import Path
from urllib.parse import unquote

from ..errors import DataError, InputError
from ..files import read_bytes, read_text
from .notices import Say

MAX_BYTES = 4 << 20
"""The size of the largest style sheet, font or picture, in bytes."""

SOURCE = re.compile(
    r"(?P<import>@import\b[^;]*;?)|url\(\s*(?P<quote>['\"]?)(?!data:|#)(?P<address>.*?)(?P=quote)\s*\)", re.IGNORECASE
)


def own_css(path: Path, say: Say) -> str:
    """Return the style rules in the file ``path``, with the fonts and pictures that it names.

    What is not in a file is left out, with a notice. Raises DataError if the style sheet can't be read.
    """

    def embed(found: re.Match[str]) -> str:
        if found["import"]:
            say(f"{found['import']} in {path.name} is left out: a style sheet must be one file")
            return ""
        try:
            return f"url({file_url(path.parent / unquote(found['address']))})"
        except InputError:
            say(
                f"{found['address']} in {path.name} is left out: it isn't a font or a picture in a file, and nothing is fetched"
            )
            return "none"

    return SOURCE.sub(embed, read_text(path, MAX_BYTES)).replace("</", "<\\/")


def file_url(path: Path) -> str:
    """Return a picture or a font in a file as a data URL. Raises DataError if the file is of another kind or can't be read."""
    kind = mimetypes.guess_type(path.name)[0] or ""
    if not kind.startswith(("image/", "font/")):
        raise DataError(str(path), "no picture", "a file such as logo.svg or logo.png")
    return f"data:{kind};base64,{base64.b64encode(read_bytes(path, MAX_BYTES)).decode()}"
