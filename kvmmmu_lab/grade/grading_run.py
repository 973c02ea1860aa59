# SPDX-License-Identifier: GPL-2.0-only
"""A run of the grader: takes what was handed in, leaves out what is finished, has the rest judged, and records every mark."""

from __future__ import annotations

import contextlib
import os
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from .. import exercises
from ..check.sandbox import scratch
from ..check.sandbox.forkserver import PACKAGE
from ..course_settings import CourseSettings
from ..errors import InputError, LabError
from ..exercises import Exercise
from ..files import reason
from ..printable import one_line
from ..workspace import course_root
from .collection import Collection, collect
from .grader import FOLDER, exercise_of, stamp_of, versions, without_judging
from .hand_in import HandIn
from .mark import NOT_JUDGED, WALL, Mark
from .progress_line import ProgressLine
from .record import ExerciseInfo, Info, Record, RecordError
from .scheduler import Scheduler, Task

RECORD = "record.sqlite"
"""The name of the record in a report's folder."""

MOST_NOTES = 5
"""The maximum number of notes of the collector in a summary."""

Schedulers = Callable[[Task], Scheduler]
"""Makes the scheduler for a task."""

Views = Callable[[Callable[[], Iterator[Mark]], Info, Path], None]
"""Writes views into a folder: from all marks, which it can ask for more than once, and what is known about the run."""


@dataclass(frozen=True)
class Summary:
    """What a run has done. ``statuses`` counts all marks in the record of learners who are in the folder, by status.

    Of this run, ``judged`` hand-ins were judged, ``copied`` have the mark of an identical one, ``kept`` were finished before.
    ``unwalled`` are the reasons why submissions were judged without a wall, with their counts; ``vanished`` counts the marks
    of learners who are no longer in the folder.
    """

    learners: int
    judged: int
    copied: int
    kept: int
    statuses: dict[str, int]
    unwalled: dict[str, int]
    vanished: int
    notes: tuple[str, ...]
    out: str

    @property
    def complete(self) -> bool:
        """Whether every hand-in was judged."""
        return not self.statuses.get(NOT_JUDGED)

    def as_data(self) -> dict[str, Any]:
        """The summary as JSON data."""
        return asdict(self) | {"complete": self.complete}

    def __str__(self) -> str:
        """The summary in a few lines, with where to look."""
        marks = sum(self.statuses.values())
        now = [f"{self.judged:,} judged now"]
        now += [f"{self.copied:,} the same as another's"] * bool(self.copied)
        now += [f"{self.kept:,} finished before"] * bool(self.kept)
        lines = [f"{marks:,} marks of {self.learners:,} learner{'s' * (self.learners != 1)}: {', '.join(now)}"]
        counts = sorted(self.statuses.items(), key=lambda item: -item[1])
        lines += [f"  {', '.join(f'{count:,} {status}' for status, count in counts)}"] * bool(counts)
        lines += [f"  {self.vanished:,} more of learners or files that are no longer there"] * bool(self.vanished)
        lines += [f"  {count:,} without a wall: {why}" for why, count in self.unwalled.items()]
        lines += [f"  {note}" for note in self.notes[:MOST_NOTES]]
        more = len(self.notes) - MOST_NOTES
        lines += [f"  and {more:,} more notes, on the page of the class"] * (more > 0)
        return "\n".join([*map(one_line, lines), f"The class: {Path(self.out) / 'index.html'}"])


class GradingRun:
    """A run over what is in the folder ``submissions``, with its report in the folder ``out``.

    ``names`` are the exercises to grade now (default: those of the course), ``only`` the learners (default: all). ``regrade``:
    judge what is finished once more.
    """

    def __init__(
        self,
        submissions: Path,
        out: Path,
        settings: CourseSettings,
        schedulers: Schedulers,
        views: Views | None = None,
        *,
        names: Sequence[str] = (),
        only: Sequence[str] = (),
        regrade: bool = False,
    ) -> None:
        self.submissions, self.out, self.settings, self.schedulers = submissions, out, settings, schedulers
        self.views, self.only, self.regrade = views, only, regrade
        wanted = names or settings.exercises or [folder.name for folder in exercises.folders(course_root())]
        found = [exercise_of(name, settings) for name in wanted]
        self.exercises: dict[str, Exercise] = {exercise.name: exercise for exercise in found}
        check_apart(submissions, out)
        self.collections = self._collections()
        self.stamps = {name: stamp_of(exercise, settings) for name, exercise in self.exercises.items()}
        self.judged = self.copied = self.kept = 0

    def _collections(self) -> list[Collection]:
        folders = [exercise.folder.name for exercise in self.exercises.values()]
        learners: Sequence[str | None] = self.only or [None]
        return [collect(self.submissions, folders, learner) for learner in learners]

    def grade(self, progress: ProgressLine | None = None) -> Summary:
        """Judge what is not finished, and write the views, also if the run is interrupted. Raises LabError."""
        try:
            self.out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(self.out, error) from error
        with Record(self.out / RECORD, write=True) as record, self._staging(record) as staging:
            record.set_info(self._info(record.info()))
            secret = (self.submissions, self.out, *[Path(self.settings.file)] * bool(self.settings.file))
            task = Task(self.settings, tuple(str(path.resolve()) for path in secret), staging)
            try:
                with progress or ProgressLine(len(self)) as line, self.schedulers(task) as scheduler:
                    for mark in scheduler.marks(self._to_judge(record, line)):
                        record.put(mark)
                        self.judged += 1
                        line.tell(mark)
                if not self.only:
                    record.saw_all(self.exercises)
                notes = tuple(note for collection in self.collections for note in collection.notes)
                record.change_info(notes=notes, ended=_now())
            except RecordError:
                raise  # there is no room for views either
            except BaseException:
                self._write_views(record)
                raise
            self._write_views(record)
            return self._summary(record)

    def __len__(self) -> int:
        return sum(map(len, self.collections))

    def _to_judge(self, record: Record, line: ProgressLine) -> Iterator[HandIn]:
        """The hand-ins that have to be judged. What needs no judging is recorded at once."""
        for hand_in in (each for collection in self.collections for each in collection.hand_ins):
            record.saw(hand_in.learner, hand_in.exercise)
            digest, stamp = hand_in.digest, self.stamps[hand_in.exercise]
            if not self.regrade and record.finished(hand_in.learner, hand_in.exercise, digest, stamp):
                self.kept += 1
                line.skip()
                continue
            mark = without_judging(hand_in, self.exercises[hand_in.exercise], self.settings)
            if mark is not None:
                self.judged += 1
            else:
                twin = record.twin(hand_in.exercise, digest, stamp, now=self.regrade)
                mark = twin and replace(twin, learner=hand_in.learner, place=hand_in.place, seconds=0.0)
                self.copied += twin is not None
            if mark is None:
                yield hand_in
            else:
                record.put(mark)
                line.tell(mark)

    def _info(self, before: Info) -> Info:
        """What is known about this run, and about the exercises that only earlier ones graded."""
        found = {one.name: one for one in before.exercises}
        for name, one in self.exercises.items():
            extra = sum(rule.points for rule in one.rules if rule.extra)
            found[name] = ExerciseInfo(name, one.number, one.title, one.points, extra)
        graded = tuple(sorted(found.values(), key=lambda one: one.number))
        return Info(self.settings.title, self.settings.seed, graded, versions=versions(), begun=_now())

    @contextlib.contextmanager
    def _staging(self, record: Record) -> Iterator[str]:
        """A folder for the files of hand-ins while they are judged. That of an earlier run that was killed is deleted."""
        left = record.staging
        if os.path.basename(left).startswith(FOLDER) and os.path.isdir(left) and not os.path.islink(left):
            scratch.discard(left)
        record.staging = staging = tempfile.mkdtemp(prefix=FOLDER)
        try:
            yield staging
        finally:
            scratch.discard(staging)

    def _write_views(self, record: Record) -> None:
        if self.views is not None:
            try:
                self.views(record.marks, record.info(), self.out)
            except OSError as error:
                raise _unwritable(self.out, error) from error

    def _summary(self, record: Record) -> Summary:
        statuses, isolations = record.counts("status"), record.counts("isolation")
        unwalled = {why: count for why, count in isolations.items() if why not in ("", WALL)}
        learners = record.learner_count()
        done = self.judged, self.copied, self.kept
        return Summary(learners, *done, statuses, unwalled, record.count(vanished=True), record.info().notes, str(self.out))


def check_apart(submissions: Path, out: Path) -> None:
    """Raise InputError if the report would lie among the submissions, or if either could not be hidden from submissions."""
    inside, outside = out.resolve(), submissions.resolve()
    needed = {PACKAGE, Path(sys.prefix), Path(sys.base_prefix), Path(sysconfig.get_path("stdlib")), Path("/usr")}
    for name, given, folder in (("SUBMISSIONS", submissions, outside), ("out", out, inside)):
        for place in needed:
            if place.resolve().is_relative_to(folder):
                raise InputError(name, str(given), f"a folder without {place} in it, which submissions have to see")
    if inside.is_relative_to(outside):
        raise InputError("out", str(out), f"a folder outside {submissions}, since all in it counts as handed in")


def _unwritable(out: Path, error: OSError) -> LabError:
    advice = "make room or choose another folder with --out, and run the same command again: what was finished is kept"
    return RecordError(f"the report in {out} can't be written ({reason(error)}); {advice}")


def _now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
