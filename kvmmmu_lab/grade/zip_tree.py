# SPDX-License-Identifier: GPL-2.0-only
"""A zip as a tree. Nothing is unpacked to a disk: a file is decompressed when it is read, at most as far as it may be long.

A zip is refused as a whole if its directory is too long, or if entries overlap, which is how a small zip pretends to be huge.
Entries are left out whose path leads out of the zip, or that are links, encrypted, packed too tightly or in a rare way.
"""

from __future__ import annotations

import re
import zipfile
from types import TracebackType
from typing import BinaryIO

from ..errors import DataError
from ..files import KINDS, MEGABYTE, reason
from .omissions import Omissions, named
from .tree import FILE, FOLDER, MOST_DEPTH, MOST_ENTRIES, OverLimit, Parts, Tree, TreeEntry

MOST_RATIO = 200
"""How many times its size in the zip a file may have, if it has more than a megabyte. Source shrinks to a fifth, a notebook
with pictures to three quarters."""

ENTRY_BYTES = 160
"""The room in the zip's directory for each entry that may be in it; with a usual path it needs less."""

ENCRYPTED = 0x1
LOCAL_HEADER = 30
"""The bytes before each file in a zip, without its name."""


class ZipTree(Tree):
    """The tree in a zip. ``file`` is open as long as the tree is used, ``name`` is for messages. Raises DataError."""

    def __init__(self, file: BinaryIO, name: str, most: int = MOST_ENTRIES) -> None:
        self.name, self.left_out = name, Omissions()
        self.folders: dict[Parts, dict[str, zipfile.ZipInfo | str]] = {(): {}}
        try:
            self.zip = zipfile.ZipFile(_BoundedFile(file, max(most * ENTRY_BYTES, MEGABYTE)))
        except Exception as error:  # zipfile raises many kinds for a damaged one
            raise DataError(name, f"a damaged zip: {reason(error)}", "a zip that can be unpacked") from None
        entries = self.zip.infolist()
        if len(entries) > most:
            raise OverLimit(name, f"a zip of {len(entries):,} files and folders", f"at most {most:,}")
        file.seek(0, 2)
        _check_overlap(entries, file.tell(), name)
        for entry in entries:
            self._add(entry)
        self.notes = tuple(f"in {named(name)}, {sentence}" for sentence in self.left_out.sentences)

    def __enter__(self) -> ZipTree:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.zip.close()

    def entries(self, folder: Parts = (), most: int = MOST_ENTRIES) -> list[TreeEntry]:
        """See `Tree.entries`."""
        name = self.place(folder)
        if folder not in self.folders:
            raise DataError(name, "no such folder", "a folder in the zip")
        found = self.folders[folder]
        if len(found) > most:
            raise OverLimit(name, f"more than {most:,} files and folders", "fewer")
        return sorted(TreeEntry(each, what if isinstance(what, str) else FILE) for each, what in found.items())

    def read(self, path: Parts, most: int) -> bytes:
        """See `Tree.read`."""
        name, what = self.place(path), self.folders.get(path[:-1], {}).get(path[-1], "no such file")
        if isinstance(what, str):
            raise DataError(name, what, "a file")
        if what.file_size > most:
            raise OverLimit(name, f"{what.file_size:,} bytes", f"a file of at most {most:,} bytes")
        try:
            with self.zip.open(what) as file:
                content = file.read(most + 1)  # to its end, since only there its checksum is compared
        except Exception as error:  # as above; zlib.error, too
            raise DataError(name, f"damaged: {reason(error)}", "a zip that can be unpacked") from None
        return content

    def place(self, path: Parts) -> str:
        """See `Tree.place`."""
        return "/".join((self.name, *path))

    def _add(self, entry: zipfile.ZipInfo) -> None:
        """Take an entry into the tree, or leave it out."""
        path = entry.filename.replace("\\", "/")  # some programs of Windows write backslashes
        parts = tuple(part for part in path.split("/") if part not in ("", "."))
        is_folder, refused = path.endswith("/"), ""
        if path.startswith("/") or re.match(r"[A-Za-z]:", path) or ".." in parts:
            refused = "the path leads out of the zip"
        elif len(parts) > MOST_DEPTH:
            refused = f"more than {MOST_DEPTH} folders deep"
        elif parts and not (self._folder(parts if is_folder else parts[:-1])):
            refused = "a file has the name of its folder"
        elif parts and not is_folder and parts in self.folders:
            refused = "a folder has the same name"
        if refused:
            self.left_out.add(entry.filename, refused)
        elif parts and not is_folder:
            # of several with the same name the last counts, as when they are unpacked one after the other
            self.folders[parts[:-1]][parts[-1]] = _kind(entry) or entry

    def _folder(self, parts: Parts) -> bool:
        """Make a folder with those above it; False if there is a file in its place."""
        if parts in self.folders:
            return True
        if not self._folder(parts[:-1]) or parts[-1] in self.folders[parts[:-1]]:
            return False
        self.folders[parts[:-1]][parts[-1]] = FOLDER
        self.folders[parts] = {}
        return True


class _BoundedFile:
    """A file of which at most ``most`` bytes are read at once: zipfile reads the whole directory of a zip in one go."""

    def __init__(self, file: BinaryIO, most: int) -> None:
        self.file, self.most = file, most
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        content = self.file.read(self.most + 1 if size < 0 else min(size, self.most + 1))
        if len(content) > self.most:
            raise zipfile.BadZipFile(f"its directory has more than {self.most:,} bytes")
        return content

    def close(self) -> None:
        self.file.close()


def _check_overlap(entries: list[zipfile.ZipInfo], size: int, name: str) -> None:
    """Raise DataError if two files share bytes of the zip."""
    end = 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        if entry.header_offset < end:
            raise DataError(name, "a zip whose files overlap", "a zip that a usual program has packed")
        end = entry.header_offset + LOCAL_HEADER + entry.compress_size
    if end > size:
        raise DataError(name, "a truncated zip", "a complete one")


def _kind(entry: zipfile.ZipInfo) -> str:
    """What an entry that is no folder is instead of a file, or ""."""
    mode = entry.external_attr >> 16
    special = next((words for test, words in KINDS.items() if test(mode)), "")
    if special:
        return special
    if entry.flag_bits & ENCRYPTED:
        return "encrypted"
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "compressed in a way other than stored or deflated"
    if entry.file_size > max(MEGABYTE, MOST_RATIO * entry.compress_size):
        return f"packed to less than 1/{MOST_RATIO} of its size"
    return ""
