# SPDX-License-Identifier: GPL-2.0-only
"""The commands ``check``, ``hint`` and ``watch``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from .. import exercises, workspace
from ..exercises import Exercise
from .judge import Judge
from .progress import Progress, next_hint
from .report import NOT_ATTEMPTED, PASSED, Report, Verdict, told
from .sandbox.inline import INLINE
from .submission import Submission, own, read


def working_folder() -> Path:
    """Where the learner works: this folder or one above it if it holds exercises, else the default one."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if exercises.folders(folder):
            return folder
    return workspace.default_folder()


def own_file(exercise: Exercise, folder: Path) -> Path:
    """The learner's file for an exercise, in a working folder. Raises InputError where there is none."""
    return own(exercise, folder / "exercises" / exercise.folder.name)


def check(args: argparse.Namespace) -> int:
    """``check NAME [FILE]``; 0 for full points."""
    exercise = exercises.find(args.exercise, workspace.course_root())
    folder = args.folder or working_folder()
    given = read(args.file or own_file(exercise, folder))
    if args.json:
        report = Judge(exercise, given, seed=args.seed, full=args.full).report()
        print(json.dumps(report.as_data(), indent=1))
        return int(not report.passed)
    if args.inline:
        print(INLINE, file=sys.stderr)
    report = show(exercise, given, args)
    print("\n".join(report.notes))
    if not args.file and not args.inline:
        Progress(folder).points(exercise.name, report.points)
    return int(not report.passed)


def show(exercise: Exercise, given: Submission, args: argparse.Namespace | None = None) -> Report:
    """Check and print: each verdict as soon as it is known, and at the first that is wrong all that helps."""
    print(f"{exercise.number} {exercise.title}: {given.name}\n", flush=True)
    wrong: list[Verdict] = []

    def tell(verdict: Verdict) -> None:
        print(f"  {verdict.line}  ({verdict.status})" if verdict.status != PASSED else f"  {verdict.line}", flush=True)
        if verdict.failure is not None and (not wrong or (args and args.all)) and verdict.failure.kind != "unwritten":
            print(f"\n{told(verdict, exercise)}\n", flush=True)
        wrong.extend([verdict] * (verdict.failure is not None))

    options = {"seed": args.seed, "full": args.full, "inline": args.inline} if args else {}
    report = Judge(exercise, given, tell=tell, **options).report()
    more = f"Each of the {len(wrong)} is told by: kvmmmu-lab check {exercise.name} --all"
    told_all = [more] if len(wrong) > 1 and not (args and args.all) and report.status != NOT_ATTEMPTED else []
    print("\n".join(["", report.head, *told_all, *report.told_printed()]), flush=True)
    return report


def hint(args: argparse.Namespace) -> int:
    """``hint NAME``."""
    exercise = exercises.find(args.exercise, workspace.course_root())
    print(next_hint(exercise, Progress(args.folder or working_folder()), args.number))
    return 0


def watch(args: argparse.Namespace) -> int:
    """``watch [NAME]``."""
    from .session import Watch

    folder = args.folder or working_folder()
    return Watch(folder, workspace.course_root(), args.exercise).run()
