# SPDX-License-Identifier: GPL-2.0-only
"""Notices: what an export shortens, leaves out or can't fetch, with the number of the cell.

Whatever renders a part of a notebook gets a `Notices` object, or a function `Say` that already knows the cell. What an
author hides (with a tag, a comment or an option) is no notice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from ..printable import one_line, shortened

Say = Callable[[str], object]
"""A function that takes the words of a notice about a certain cell: a clause such as "the picture a.png is left out"."""

MAX_WORDS = 300
"""The maximum length of a notice, in characters."""

FOUND_PROBLEMS = 3
"""The exit status of an export that has notices, with ``--strict``."""


def ignore(words: str) -> None:
    """Ignore a notice; a `Say` for markup whose losses don't matter."""


@dataclass(frozen=True, order=True)
class Notice:
    """One notice. ``cell`` counts from 1, as cells stand in the notebook; 0 means the whole notebook."""

    cell: int
    words: str

    def __str__(self) -> str:
        return f"cell {self.cell}: {self.words}" if self.cell else self.words


class Notices:
    """The notices about one notebook, each once, in the order of the cells."""

    def __init__(self) -> None:
        self._found: set[Notice] = set()

    def add(self, cell: int, words: str) -> None:
        """Add a notice about a cell (0: about the whole notebook)."""
        self._found.add(Notice(cell, shortened(one_line(words.strip()), MAX_WORDS)))

    def at(self, cell: int) -> Say:
        """Return a function that adds notices about a cell."""
        return partial(self.add, cell)

    def __iter__(self) -> Iterator[Notice]:
        return iter(sorted(self._found))

    def __len__(self) -> int:
        return len(self._found)


def report(found: Mapping[str, Notices]) -> str:
    """Return what to print at the end of an export, or an empty text if there are no notices.

    ``found`` maps names of notebooks to their notices.
    """
    parts = [
        f"Look at these in {one_line(name)}:\n" + "".join(f"  {notice}\n" for notice in notices)
        for name, notices in found.items()
        if notices
    ]
    return "\n".join(parts).rstrip("\n")
