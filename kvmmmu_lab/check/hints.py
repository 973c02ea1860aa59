# SPDX-License-Identifier: GPL-2.0-only
"""The hints of an exercise, shown one at a time."""

from __future__ import annotations

import re

from ..errors import InputError
from ..exercises import Exercise
from ..progress import Progress


def hints(exercise: Exercise) -> list[str]:
    """All hints of an exercise, from its ``hints.md``. Raises InputError if there is no such file."""
    path = exercise.folder / "hints.md"
    try:
        parts = re.split(r"^## .*$", path.read_text("utf-8"), flags=re.MULTILINE)[1:]
    except OSError as error:
        raise InputError("exercise", exercise.name, f"one with hints ({path}: {error.strerror})") from None
    return [part.strip() for part in parts]


def next_hint(exercise: Exercise, progress: Progress, wanted: int | None = None) -> str:
    """Return the hint numbered ``wanted`` (from 1), or else the next unseen hint, or the last one. Raises InputError."""
    known = hints(exercise)
    if wanted is not None and not 1 <= wanted <= len(known):
        raise InputError("hint", wanted, f"1 to {len(known)}, or nothing for the next hint")
    number = wanted - 1 if wanted else min(progress.get(exercise.name, "hints"), len(known) - 1)
    progress.hint(exercise.name, number + 1)
    more = "" if number + 1 < len(known) else " (the last one)"
    return f"Hint {number + 1} of {len(known)}{more}\n\n{known[number]}"
