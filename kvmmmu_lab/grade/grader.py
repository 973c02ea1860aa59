# SPDX-License-Identifier: GPL-2.0-only
"""The grader: whatever a hand-in is, there is a mark for it.

It runs in a process of its own, which parses the submission but never runs it. The submission runs where the judge puts it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from importlib import metadata
from pathlib import Path, PurePosixPath

import numpy

from .. import exercises
from ..check.answers import KnownAnswers, kit_digest, rules_digest
from ..check.deadline import Deadline
from ..check.judge import Judge, show_traceback
from ..check.sandbox import limits, scratch
from ..check.sandbox.forkserver import CAN_FORK, ForkServer
from ..check.submission import read, submitted_file
from ..course_settings import CourseSettings
from ..errors import DataError, LabError, OutOfTime
from ..exercises import Exercise
from ..printable import printable
from ..workspace import course_root, kit_version
from .hand_in import HandIn
from .mark import NOT_HANDED_IN, NOT_JUDGED, NOT_READABLE, Mark
from .marking import mark_of
from .scheduler import Task

FOLDER = f"{limits.PREFIX}grade-"
"""The beginning of the name of a folder in which the files of hand-ins lie while they are judged."""


class Grader:
    """A grader for a ``task``. ``server`` forks the processes in which submissions run (default: one of its own)."""

    def __init__(self, task: Task, server: ForkServer | None = None) -> None:
        self.settings = task.settings
        self.owned = ForkServer(hidden=task.secret) if server is None and CAN_FORK else None
        self.server = server or self.owned
        self.own_staging = not task.staging
        self.staging = task.staging or tempfile.mkdtemp(prefix=FOLDER)
        self.secret = (*task.secret, self.staging)
        self.exercises: dict[str, Exercise] = {}
        self.known: dict[str, KnownAnswers] = {}

    def mark(self, hand_in: HandIn) -> Mark:
        """The mark for a hand-in."""
        begin = time.monotonic()
        exercise = self.exercise(hand_in.exercise)
        mark = without_judging(hand_in, exercise, self.settings)
        if mark is not None:
            return mark
        try:
            mark = self._judged(hand_in, exercise)
        except (DataError, OutOfTime) as error:
            # without the name of the file, which is that of a copy
            problem = f"{error.got}; expected {error.expected}" if isinstance(error, DataError) else str(error)
            mark = unjudged(hand_in, exercise, self.settings, NOT_READABLE, problem)
        except LabError as error:
            mark = unjudged(hand_in, exercise, self.settings, NOT_JUDGED, str(error))
        except Exception as error:  # every learner gets a mark, and the others must not wait for this one
            show_traceback()
            mark = unjudged(hand_in, exercise, self.settings, NOT_JUDGED, f"{type(error).__name__}: {error}"[:500])
        return replace(mark, seconds=time.monotonic() - begin)

    def exercise(self, name: str) -> Exercise:
        """The exercise with this name and the points of the course."""
        if name not in self.exercises:
            self.exercises[name] = exercise_of(name, self.settings)
        return self.exercises[name]

    def _judged(self, hand_in: HandIn, exercise: Exercise) -> Mark:
        deadline = Deadline(seconds=self.settings.timeout or None)
        with self._staged(hand_in) as folder:
            path = folder / hand_in.main
            if hand_in.notebook:
                path = submitted_file(exercise, path.parent)
            given = read(path, deadline)
        known = self.known.setdefault(exercise.name, KnownAnswers(exercise, self.settings.seed))
        options = {"seed": self.settings.seed, "known": known, "deadline": deadline, "secret": self.secret}
        report = Judge(exercise, given, self.server, thrifty=True, **options).report()  # type: ignore[arg-type]
        main = path.relative_to(folder).as_posix()
        stamp = stamp_of(exercise, self.settings)
        mark = mark_of(report, hand_in, seed=self.settings.seed, stamp=stamp, versions=versions())
        return replace(mark, file=main, notes=(*mark.notes, *map(printable, hand_in.notes)))

    @contextlib.contextmanager
    def _staged(self, hand_in: HandIn) -> Iterator[Path]:
        """A folder with the files of a hand-in."""
        folder = Path(tempfile.mkdtemp(dir=self.staging))
        try:
            for name, content in hand_in.files.items():
                if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
                    raise DataError(name, "the name of a file in another folder", "a name in the folder of the hand-in")
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            yield folder
        finally:
            scratch.discard(str(folder))

    def close(self) -> None:
        """End the processes in which submissions run, and delete the files of hand-ins."""
        if self.owned is not None:
            self.owned.close()
            self.owned = None
        if self.own_staging:
            scratch.discard(self.staging)

    def __enter__(self) -> Grader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def exercise_of(name: str, settings: CourseSettings) -> Exercise:
    """The exercise with this name and the points of the course. Raises InputError if there is none."""
    return exercises.find(name, course_root(), settings)


def without_judging(hand_in: HandIn, exercise: Exercise, settings: CourseSettings) -> Mark | None:
    """The mark for a hand-in in which there is nothing to judge; None if there is."""
    if hand_in.main and not hand_in.problem:
        return None
    return unjudged(hand_in, exercise, settings, NOT_READABLE if hand_in.problem else NOT_HANDED_IN, hand_in.problem)


def unjudged(hand_in: HandIn, exercise: Exercise, settings: CourseSettings, status: str, problem: str = "") -> Mark:
    """The mark for a hand-in on which no rule was tried. ``problem`` says why, as a sentence without a full stop."""
    return Mark(
        hand_in.learner,
        hand_in.exercise,
        hand_in.digest,
        status,
        0,
        exercise.points,
        file=hand_in.main,
        place=hand_in.place,
        problem=printable(problem),
        notes=tuple(map(printable, hand_in.notes)),
        seed=settings.seed,
        stamp=stamp_of(exercise, settings),
        versions=versions(),
    )


def stamp_of(exercise: Exercise, settings: CourseSettings) -> str:
    """A digest of all that a mark depends on besides the hand-in: kit, rules and their points, seed, limits and versions."""
    points = [(rule.name, rule.points, rule.extra) for rule in exercise.rules]
    parts = [_stamp(exercise.folder), points, settings.seed, settings.timeout, limits.values(), versions()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@cache
def _stamp(folder: Path) -> str:
    """A digest of the kit and of an exercise's rules, which is the same on all machines."""
    return kit_digest() + rules_digest(folder)


@cache
def versions() -> str:
    """The versions of what marks depend on."""
    try:
        hypothesis = metadata.version("hypothesis")
    except metadata.PackageNotFoundError:
        hypothesis = "(missing)"
    return ", ".join(
        f"{name} {version}"
        for name, version in (
            ("kvmmmu-lab", kit_version()),
            ("Python", platform.python_version()),
            ("numpy", numpy.__version__),
            ("hypothesis", hypothesis),
        )
    )
