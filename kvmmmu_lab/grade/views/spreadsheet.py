# SPDX-License-Identifier: GPL-2.0-only
"""The marks as CSV, for spreadsheets and grade books: one row for each mark, or one for each learner.

The files are in UTF-8 with a byte order mark, without which Excel takes them for another encoding. A cell of text that a
spreadsheet would take for a formula gets an apostrophe in front.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

from ...files import replacing
from ...printable import printable
from ..mark import Mark

FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")
"""Matches a text that some spreadsheet takes for a formula; the last four are the wide forms of the same signs."""

HEAD = (
    "learner", "exercise", "status", "points", "of", "extra", "first rule that failed", "message", "file", "problem",
    "isolation", "seed", "seconds", "sha256",
)  # fmt: skip


def write_marks(marks: Iterable[Mark], path: Path) -> None:
    """Write one row for each mark. Raises OSError."""
    with _rows(path) as write:
        write(HEAD)
        for mark in marks:
            wrong = next((rule for rule in mark.rules if rule.message and not rule.extra), None)
            why = (wrong.rule, wrong.message) if wrong else ("", "")
            result = mark.learner, mark.exercise, mark.status, mark.points, mark.of, mark.extra
            write([*result, *why, mark.file, mark.problem, mark.isolation, mark.seed, round(mark.seconds, 3), mark.digest])


def write_grade_book(marks: Iterable[Mark], exercises: Sequence[str], path: Path) -> None:
    """Write one row for each learner, with the points of each exercise and their sum. Raises OSError.

    The marks of a learner must come one after the other. An exercise that is not judged has an empty cell.
    """
    with _rows(path) as write:
        write(["learner", *exercises, "points", "extra", "of"])
        for learner, own in groupby(marks, attrgetter("learner")):
            found = {mark.exercise: mark for mark in own}
            judged = {name: mark for name, mark in found.items() if mark.rules}
            sums = (sum(map(attrgetter(name), found.values())) for name in ("points", "extra", "of"))
            write([learner, *(judged[name].points if name in judged else "" for name in exercises), *sums])


@contextmanager
def _rows(path: Path) -> Iterator[Any]:
    """Yield a function that writes a row."""
    with replacing(path) as file:
        text = io.TextIOWrapper(file, "utf-8-sig", newline="", write_through=True)
        writer = csv.writer(text)
        yield lambda row: writer.writerow([_cell(value) for value in row])
        text.detach()


def _cell(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    shown = printable(value)
    return f"'{shown}" if FORMULA.match(shown) else shown
