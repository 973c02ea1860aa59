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


def next_hint(exercise: Exercise, progress: Progress, wanted: int | None = None) -> str:
    """The next hint that wasn't shown yet, with its number; after the last one, that one again. Or the ``wanted`` one,
    from 1 on. Raises InputError."""
    known = hints(exercise)
    if wanted is not None and not 1 <= wanted <= len(known):
        raise InputError("hint", wanted, f"1 to {len(known)}, or none for the next one")
    number = wanted - 1 if wanted else min(progress.get(exercise.name, "hints"), len(known) - 1)
    progress.note(exercise.name, hints=max(number + 1, progress.get(exercise.name, "hints")))
    more = "" if number + 1 < len(known) else " (the last one)"
    return f"Hint {number + 1} of {len(known)}{more}\n\n{known[number]}"
