# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's source as a map: for each function, or group of lines, where the course teaches it and the engine models it.

The lines are those of ``mmu.c`` and ``paging_tmpl.h`` in Linux 2.6.22. The map is the table ``kernel_map.csv``; it leaves no
line out.
"""

from __future__ import annotations

import csv
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError

MMU, WALKER = "mmu.c", "paging_tmpl.h"

_REFERENCE = re.compile(r"(mmu\.c|paging_tmpl\.h)[: ]\s*(\d+(?:\s*-\s*\d+)?(?:,\s*\d+(?:\s*-\s*\d+)?)*)", re.IGNORECASE)
_RANGE = re.compile(r"(\d+)(?:\s*-\s*(\d+))?")


@dataclass(frozen=True)
class SourcePart:
    """Consecutive lines of a source file. ``names``: the kernel's functions, structures and constants in them, if any.

    ``about``: what they do, as a phrase. ``lessons``: where they are taught, the main one first. ``engine``: the functions of
    `kvmmmu_lab.mmu` that do the same, such as "rmap.ReverseMap.add". ``exercises``: the names of the exercises to write them.
    """

    file: str
    first: int
    last: int
    names: tuple[str, ...]
    about: str
    lessons: tuple[int, ...]
    engine: tuple[str, ...]
    exercises: tuple[str, ...]

    @property
    def lines(self) -> str:
        """The lines as the course cites them: "mmu.c:315-346"."""
        return f"{self.file}:{self.first}-{self.last}"

    def overlaps(self, file: str, first: int, last: int) -> bool:
        """Return whether a range of lines, the last included, and the part have a line in common."""
        return file == self.file and first <= self.last and self.first <= last


@functools.cache
def parts() -> tuple[SourcePart, ...]:
    """Return all parts, file by file, in the order of their lines."""
    with Path(__file__).with_suffix(".csv").open(encoding="utf-8", newline="") as file:
        return tuple(_part(**row) for row in csv.DictReader(file))


def _part(file: str, first: str, last: str, names: str, about: str, lessons: str, engine: str, exercises: str) -> SourcePart:
    numbers = tuple(map(int, lessons.split()))
    words = (tuple(text.split()) for text in (names, engine, exercises))
    found, functions, tasks = words
    return SourcePart(file, int(first), int(last), found, about, numbers, functions, tasks)


def lines_in(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield each reference to lines in a text: the file, the first and the last line. "mmu.c:384, 408" has two."""
    for file, ranges in _REFERENCE.findall(text):
        for first, last in _RANGE.findall(ranges):
            yield file.lower(), int(first), int(last or first)


def parts_at(text: str) -> list[SourcePart]:
    """Return the parts to which a text refers: lines as "mmu.c:315-346", or the name of a function of the kernel.

    Raises InputError for lines that don't exist. A name that isn't in the map gives no part.
    """
    found = list(lines_in(text))
    if not found:
        name = text.strip().removesuffix("()")
        return [part for part in parts() if name in part.names]
    for file, first, last in found:
        end = max(part.last for part in parts() if part.file == file)
        if not 1 <= first <= last <= end:
            raise InputError("text", text, f"lines of {file} from 1 to {end}, the first before the last")
    return [part for part in parts() if any(part.overlaps(*one) for one in found)]
