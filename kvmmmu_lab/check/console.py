# SPDX-License-Identifier: GPL-2.0-only
"""Check an exercise in a terminal: find the learner's file, and print each verdict as soon as it is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .. import exercises, workspace
from ..exercises import Exercise
from .answers import KnownAnswers, answers_file
from .judge import Judge
from .report import NOT_ATTEMPTED, PASSED, Report, Verdict, explained
from .submission import Submission, submitted_file


def working_folder() -> Path:
    """The learner's folder: the current folder or its nearest ancestor that holds exercises, else the default folder."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if exercises.folders(folder):
            return folder
    return workspace.default_folder()


def own_file(exercise: Exercise, folder: Path) -> Path:
    """The learner's file for an exercise, in a working folder. Raises InputError if there is none."""
    return submitted_file(exercise, folder / "exercises" / exercise.folder.name)


def judge(exercise: Exercise, given: Submission, *, seed: int = 0, **options: Any) -> Judge:
    """A judge for a command; ``options`` are those of `Judge`. What it finds out makes the next check faster."""
    return Judge(exercise, given, seed=seed, known=KnownAnswers(exercise, seed, answers_file(exercise)), **options)


def show(exercise: Exercise, given: Submission, *, file: Path | None = None, every: bool = False, **options: Any) -> Report:
    """Check a submission, print each verdict as soon as it is known, and explain the first failure (all if ``every``).

    ``file`` is the file named on the command line, or None; ``options`` are passed to `judge`.
    """
    print("\n".join([f"{exercise.number} {exercise.title}: {given.name}", *given.notes, ""]), flush=True)
    failures: list[Verdict] = []

    def tell(verdict: Verdict) -> None:
        print(f"  {verdict.line}  ({verdict.status})" if verdict.status != PASSED else f"  {verdict.line}", flush=True)
        if verdict.failure is None:
            return
        if (every or not failures) and verdict.failure.kind != "unwritten":
            print(f"\n{explained(verdict, exercise)}\n", flush=True)
        failures.append(verdict)

    report = judge(exercise, given, tell=tell, **options).report()
    lines = ["", report.head]
    if len(failures) > 1 and not every and report.status != NOT_ATTEMPTED:
        command = " ".join(["kvmmmu-lab check", exercise.name, *([str(file)] if file else []), "--all"])
        lines.append(f"To see all {len(failures)} failures: {command}")
    print("\n".join([*lines, *report.printed_lines()]), flush=True)
    return report
