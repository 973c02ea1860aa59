# SPDX-License-Identifier: GPL-2.0-only
"""The three hints of an exercise, one after the other."""

from __future__ import annotations

import re

from ..errors import InputError
from ..exercises import Exercise
from .progress import Progress


def hints(exercise: Exercise) -> list[str]:
    """All of them, from ``hints.md``. Raises InputError where there are none."""
    path = exercise.folder / "hints.md"
    try:
        parts = re.split(r"^## .*$", path.read_text("utf-8"), flags=re.MULTILINE)[1:]
    except OSError as error:
        raise InputError("exercise", exercise.name, f"one with hints ({path}: {error.strerror})") from None
    return [part.strip() for part in parts]


def next_hint(exercise: Exercise, progress: Progress) -> str:
    """The next hint that wasn't shown yet, with its number; after the last one, that one again."""
    known = hints(exercise)
    number = min(progress.get(exercise.name, "hints"), len(known) - 1)
    progress.note(exercise.name, hints=number + 1)
    more = "" if number + 1 < len(known) else " (the last one)"
    return f"Hint {number + 1} of {len(known)}{more}\n\n{known[number]}"
