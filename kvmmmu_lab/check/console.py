# SPDX-License-Identifier: GPL-2.0-only
"""Check an exercise in a terminal: find the learner's file, and print each verdict as soon as it is known."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import exercises, workspace
from ..exercises import Exercise
from .answers import KnownAnswers, known_answers
from .judge import Judge
from .report import NOT_ATTEMPTED, PASSED, Report, Verdict, explained, same_failures
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


def judge(
    exercise: Exercise, given: Submission, *, seed: int | None = None, known: KnownAnswers | None = None, **options: Any
) -> Judge:
    """A judge for a command; ``options`` are those of `Judge`. What it finds out makes the next check faster."""
    seed = exercise.seed if seed is None else seed
    return Judge(exercise, given, seed=seed, known=known or known_answers(exercise, seed), **options)


def show(exercise: Exercise, given: Submission, *, again: Sequence[str] = (), every: bool = False, **options: Any) -> Report:
    """Check a submission, print each verdict as soon as it is known, then explain the first failure (all if ``every``).

    The explanation of the rule to mend first stands last, where it is read first. ``again`` are the arguments of the command
    that checks the same submission; ``options`` are passed to `judge`.
    """
    print("\n".join([f"{exercise.number} {exercise.title}: {given.name}", *given.notes, ""]), flush=True)

    def tell(verdict: Verdict) -> None:
        print(f"  {verdict.line}  ({verdict.status})" if verdict.status != PASSED else f"  {verdict.line}", flush=True)

    report = judge(exercise, given, tell=tell, **options).report()
    lines = ["", report.head, *report.printed_lines()]
    groups = same_failures(report)
    if report.status != NOT_ATTEMPTED and groups:
        if len(groups) > 1 and not every:
            command = command_line(["kvmmmu-lab", "check", exercise.name, *again, "--all"])
            lines.append(f"To see all {len(groups)} failures: {command}")
        for first, *others in reversed(groups if every else groups[:1]):
            lines += ["", explained(first, exercise, others)]
    print("\n".join(lines), flush=True)
    return report


def command_line(words: Sequence[str]) -> str:
    """A command as it can be pasted into a terminal of this system."""
    return subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)
