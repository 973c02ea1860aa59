# SPDX-License-Identifier: GPL-2.0-only
"""A tree: folders and files that somebody handed in, whether in a folder or in a zip.

Nothing in a tree leads out of it, and every answer is bounded: links are not followed, `Tree.entries` returns a limited number
of entries or none, and `Tree.read` a limited number of bytes or none.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import DataError

Parts = tuple[str, ...]
"""A path in a tree: the names of the folders, then that of the file. It is empty for the tree itself."""

FILE, FOLDER = "file", "folder"
"""The kinds of entries that can be read."""

MOST_ENTRIES = 20_000
"""The maximum number of files and folders that are looked at in what one learner handed in."""

MOST_DEPTH = 12
"""The maximum number of folders in each other that are looked into."""


@dataclass(frozen=True, order=True)
class TreeEntry:
    """A name in a folder. ``kind`` is `FILE`, `FOLDER` or, in words, what it is instead ("a symbolic link")."""

    name: str
    kind: str


class OverLimit(DataError):
    """A file is longer, or a folder has more entries, than may be read."""


class Tree(ABC):
    """Folders and files. ``notes`` say in sentences what there is in addition that is no part of the tree."""

    notes: tuple[str, ...] = ()

    @abstractmethod
    def entries(self, folder: Parts = (), most: int = MOST_ENTRIES) -> list[TreeEntry]:
        """Return what is in a folder, in the order of names. Raises DataError; OverLimit if there are more than ``most``."""

    @abstractmethod
    def read(self, path: Parts, most: int) -> bytes:
        """Return the content of a file. Raises DataError; OverLimit if it has more than ``most`` bytes."""

    @abstractmethod
    def place(self, path: Parts) -> str:
        """Return a path as it is called in messages."""


class Chosen(Tree):
    """Some files of a tree, without folders: ``names`` maps the name of each to its path in ``tree``."""

    def __init__(self, tree: Tree, names: Mapping[str, Parts]) -> None:
        self.tree, self.names = tree, names

    def entries(self, folder: Parts = (), most: int = MOST_ENTRIES) -> list[TreeEntry]:
        """See `Tree.entries`."""
        return [] if folder else [TreeEntry(name, FILE) for name in sorted(self.names)]

    def read(self, path: Parts, most: int) -> bytes:
        """See `Tree.read`."""
        return self.tree.read(self.names["/".join(path)], most)

    def place(self, path: Parts) -> str:
        """See `Tree.place`."""
        return self.tree.place(self.names.get("/".join(path), ()))


class Below(Tree):
    """The part of a tree that is below one of its folders."""

    def __init__(self, tree: Tree, folder: Parts) -> None:
        self.tree, self.folder = tree, folder

    def entries(self, folder: Parts = (), most: int = MOST_ENTRIES) -> list[TreeEntry]:
        """See `Tree.entries`."""
        return self.tree.entries((*self.folder, *folder), most)

    def read(self, path: Parts, most: int) -> bytes:
        """See `Tree.read`."""
        return self.tree.read((*self.folder, *path), most)

    def place(self, path: Parts) -> str:
        """See `Tree.place`."""
        return self.tree.place((*self.folder, *path))
