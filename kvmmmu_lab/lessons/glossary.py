# SPDX-License-Identifier: GPL-2.0-only
"""The glossary: every term of the course with its meaning, and the lesson that explains it (``glossary.csv``)."""

from __future__ import annotations

import csv
import functools
from dataclasses import dataclass
from pathlib import Path

from .kernel_map import SourcePart, lines_in, parts


@dataclass(frozen=True)
class Term:
    """A term of the field. ``lesson``: the number of the lesson that explains it. ``lines``: where the kernel deals with it."""

    name: str
    meaning: str
    lesson: int
    lines: tuple[tuple[str, int, int], ...]

    @property
    def names(self) -> list[str]:
        """The names under which the term is found: "D, dirty bit" has two, and "fault, hidden" is a hidden fault."""
        first, *others = self.name.split(", ")
        return [first, *others, *(f"{other} {first}" for other in others)]

    @property
    def parts(self) -> list[SourcePart]:
        """The parts of the kernel's source that deal with it."""
        return [part for part in parts() if any(part.overlaps(*lines) for lines in self.lines)]


@functools.cache
def terms() -> tuple[Term, ...]:
    """Return all terms, in the order of the alphabet."""
    with Path(__file__).with_suffix(".csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return tuple(Term(row["term"], row["meaning"], int(row["lesson"]), tuple(lines_in(row["lines"]))) for row in rows)


def terms_named(name: str) -> list[Term]:
    """Return the terms with this name, in any case and also in the plural; none if it isn't in the glossary."""
    wanted = name.strip().lower()
    every = [(known.lower(), term) for term in terms() for known in term.names]
    return [term for known, term in every if known == wanted] or [term for known, term in every if f"{known}s" == wanted]
