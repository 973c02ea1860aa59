# SPDX-License-Identifier: GPL-2.0-only
"""A folder as a tree. No link is followed: neither the file itself nor a folder on the way to it may be one.

Where the system can do that, each folder on the way is opened relative to the one before, and refused if it is a link. So
a folder that is replaced by a link at any moment leads nowhere. Elsewhere (Windows), each is looked at first.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from ..errors import DataError
from ..files import KINDS, open_regular, reading, reason
from .tree import FILE, FOLDER, MOST_ENTRIES, OverLimit, Parts, Tree, TreeEntry

BY_DESCRIPTOR = {os.open, os.stat} <= os.supports_dir_fd and os.scandir in os.supports_fd
"""Whether files can be opened relative to an open folder."""

FLAGS = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_DIRECTORY", "O_CLOEXEC", "O_NONBLOCK"))

TRIES = 2
"""How often a file is read that changes meanwhile."""


class FolderTree(Tree):
    """The tree in ``folder``, which may be a link itself."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def entries(self, folder: Parts = (), most: int = MOST_ENTRIES) -> list[TreeEntry]:
        """See `Tree.entries`."""
        found: list[TreeEntry] = []
        name = "/".join(folder) or str(self.folder)
        with self._opened(folder) as place, reading(name, "a folder that you can read"), os.scandir(place) as listing:
            for each in listing:
                if len(found) == most:
                    raise OverLimit(name, f"more than {most:,} files and folders", "fewer")
                found.append(TreeEntry(each.name, _kind(each)))
        return sorted(found)

    def read(self, path: Parts, most: int) -> bytes:
        """See `Tree.read`."""
        name = "/".join(path)
        with self._opened(path[:-1]) as place:
            try:
                return _read(place, path[-1], most)
            except DataError as error:
                raise type(error)(name, error.got, error.expected) from None
            except OSError as error:
                raise DataError(name, f"it can't be read: {reason(error)}", "a file that you can read") from None

    def place(self, path: Parts) -> str:
        """See `Tree.place`."""
        return "/".join(path)

    @contextlib.contextmanager
    def _opened(self, parts: Parts) -> Iterator[int | Path]:
        """A folder in the tree: a descriptor, or a path where there are none. Raises DataError."""
        name, place = str(self.folder), None
        try:
            place = os.open(self.folder, FLAGS) if BY_DESCRIPTOR else self.folder
            for number, part in enumerate(parts, 1):
                name = "/".join(parts[:number])
                place = _below(place, part)
        except OSError as error:
            _close(place)
            raise DataError(name, _words(error), "a folder that you can read") from None
        try:
            yield place
        finally:
            _close(place)


def _read(place: int | Path, name: str, most: int) -> bytes:
    """Return the content of a file in an open folder. Raises DataError and OSError."""
    path, folder = (Path(name), place) if isinstance(place, int) else (place / name, None)
    for _ in range(TRIES):
        with open_regular(path, sys.maxsize, follow=False, folder=folder) as file:
            before = os.fstat(file.fileno())
            if before.st_size > most:
                raise OverLimit(name, f"{before.st_size:,} bytes", f"a file of at most {most:,} bytes")
            content = file.read(before.st_size + 1)
            after = os.fstat(file.fileno())
        if len(content) == after.st_size and before.st_mtime_ns == after.st_mtime_ns:
            return content
    raise DataError(name, "it changes while it is read", "a file that stays as it is")


class _NotAFolder(OSError):
    """A path is no folder; the message says what it is."""


def _below(place: int | Path, part: str) -> int | Path:
    """Return a folder in an open folder, and close the latter. Raises OSError."""
    found = os.stat(part, dir_fd=place, follow_symlinks=False) if isinstance(place, int) else os.lstat(place / part)
    if not stat.S_ISDIR(found.st_mode) or _leads_away(found):
        raise _NotAFolder(_kind_of(found))
    if isinstance(place, Path):
        return place / part
    new = os.open(part, FLAGS | os.O_NOFOLLOW, dir_fd=place)
    os.close(place)
    return new


def _close(place: int | Path | None) -> None:
    if isinstance(place, int):
        os.close(place)


def _words(error: OSError) -> str:
    return str(error) if isinstance(error, _NotAFolder) else f"it can't be read: {reason(error)}"


def _kind(entry: os.DirEntry[str]) -> str:
    try:
        return _kind_of(entry.stat(follow_symlinks=False))
    except OSError:  # it has vanished meanwhile; reading it will say so
        return FILE


def _kind_of(found: os.stat_result) -> str:
    if _leads_away(found):
        return KINDS[stat.S_ISLNK]
    if stat.S_ISREG(found.st_mode):
        return FILE
    if stat.S_ISDIR(found.st_mode):
        return FOLDER
    return next((words for test, words in KINDS.items() if test(found.st_mode)), "not a file")


def _leads_away(found: os.stat_result) -> bool:
    """Whether it is a symbolic link, or Windows' other kind of link to a folder, a junction."""
    tag = getattr(found, "st_reparse_tag", 0)
    return stat.S_ISLNK(found.st_mode) or (tag != 0 and tag == getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", 0))
