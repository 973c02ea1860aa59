# SPDX-License-Identifier: GPL-2.0-only
"""The commands ``check``, ``hint`` and ``watch``."""

from __future__ import annotations

import argparse
import json
import sys

from .. import exercises, workspace
from .console import own_file, show, working_folder
from .judge import Judge
from .progress import Progress, next_hint
from .sandbox.inline import INLINE
from .session import WatchSession
from .submission import read


def check(args: argparse.Namespace) -> int:
    """Run the command ``check NAME [FILE]``. The exit status is 0 if the submission has full points."""
    exercise = exercises.find(args.exercise, workspace.course_root())
    folder = args.folder or working_folder()
    given = read(args.file or own_file(exercise, folder))
    if args.json:
        report = Judge(exercise, given, seed=args.seed, full=args.full).report()
        print(json.dumps(report.as_data(), indent=1))
        return int(not report.passed)
    if args.inline:
        print(INLINE, file=sys.stderr)
    report = show(exercise, given, file=args.file, every=args.all, seed=args.seed, full=args.full, inline=args.inline)
    print("\n".join(report.notes))
    if not args.file and not args.inline:
        Progress(folder).points(exercise.name, report.points)
    return int(not report.passed)


def hint(args: argparse.Namespace) -> int:
    """Run the command ``hint NAME``."""
    exercise = exercises.find(args.exercise, workspace.course_root())
    print(next_hint(exercise, Progress(args.folder or working_folder()), args.number))
    return 0


def watch(args: argparse.Namespace) -> int:
    """Run the command ``watch [NAME]``."""
    return WatchSession(args.folder or working_folder(), workspace.course_root(), args.exercise).run()
