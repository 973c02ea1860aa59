# SPDX-License-Identifier: GPL-2.0-only
"""A learner's progress, kept in the working folder: points, and the hints that were shown."""

from __future__ import annotations

import contextlib
import json
import os
import re
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..exercises import Exercise

FILE = ".kvmmmu-lab-progress.json"


class Progress:
    """For each exercise: the ``best`` and the ``last`` points, and how many ``hints`` were shown. Each change is saved at once.

    A file that can't be parsed is renamed to ``.damaged``, and an empty record begins. If the file can't be written, nothing
    is saved.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self.known = self._read()

    def _read(self) -> dict[str, dict[str, int]]:
        try:
            found = json.loads(self.path.read_text("utf-8"))
            return {str(name): {str(key): int(value) for key, value in row.items()} for name, row in found["exercises"].items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            with contextlib.suppress(OSError):
                self.path.replace(self.path.with_suffix(".damaged"))
            return {}

    def get(self, name: str, key: str) -> int:
        """Return the number stored under ``key`` for an exercise; 0 if there is none."""
        return self.known.get(name, {}).get(key, 0)

    def note(self, name: str, **values: int) -> None:
        """Store numbers for an exercise, and save the file."""
        self.known.setdefault(name, {}).update(values)
        self._write({"exercises": self.known})

    def points(self, name: str, points: int) -> None:
        """Record the points of a check."""
        self.note(name, last=points, best=max(points, self.get(name, "best")))

    def _write(self, data: dict[str, Any]) -> None:
        new = self.path.with_suffix(".new")
        with contextlib.suppress(OSError):
            new.write_text(json.dumps(data, indent=1, sort_keys=True), "utf-8")
            os.replace(new, self.path)


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
    progress.note(exercise.name, hints=max(number + 1, progress.get(exercise.name, "hints")))
    more = "" if number + 1 < len(known) else " (the last one)"
    return f"Hint {number + 1} of {len(known)}{more}\n\n{known[number]}"
