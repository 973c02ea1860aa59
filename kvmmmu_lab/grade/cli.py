# SPDX-License-Identifier: GPL-2.0-only
"""The commands ``grade`` and ``release``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

from ..check.cli import ending_tidily
from ..course_settings import CourseSettings


def grade(args: argparse.Namespace) -> int:
    """Run the command ``grade SUBMISSIONS --out REPORT``. The exit status is 0 if every hand-in was judged."""
    from .grading_run import GradingRun
    from .scheduler import Scheduler, Task
    from .views.report_folder import write_views
    from .worker_pool import WorkerPool

    def scheduler(task: Task) -> Scheduler:
        if args.scheduler:
            from .cluster import Cluster

            return Cluster(task, args.scheduler, args.jobs)
        return WorkerPool(task, args.jobs)

    settings = _settings(args.course, grading=True)
    settings = settings if args.seed is None else replace(settings, seed=args.seed)
    settings = settings if args.timeout is None else replace(settings, timeout=args.timeout)
    run = GradingRun(
        args.submissions,
        args.out,
        settings,
        scheduler,
        write_views,
        names=args.exercise or (),
        only=args.only or (),
        regrade=args.regrade,
    )
    try:
        with ending_tidily():
            summary = run.grade()
    except KeyboardInterrupt:
        print(f"\nInterrupted. The same command goes on where it was; what is finished is in {args.out}", file=sys.stderr)
        raise
    print(json.dumps(summary.as_data(), indent=1) if args.json else summary)
    return int(not summary.complete)


def _settings(course: Path | None, *, grading: bool) -> CourseSettings:
    """The settings in the file of a course, or else those that come with the kit. Raises DataError."""
    from .. import course_settings, exercises, workspace

    root = workspace.course_root()
    if course is None:
        return exercises.settings_of(root)
    settings = course_settings.read(course, grading=grading)
    exercises.check_settings(settings, root)
    return settings


def release(args: argparse.Namespace) -> int:
    """Run the command ``release``. The exit status is 1 if something would leak."""
    from .. import exercises, workspace
    from ..errors import InputError
    from .leaks import LeakFinder, as_json
    from .release import Release, check_new, example_course, write_gradescope

    if args.example_course:
        root = workspace.course_root()
        print(example_course(exercises.load(folder) for folder in exercises.folders(root)), end="")
        return 0
    if args.out is None and args.gradescope is None and not args.check:
        raise InputError("--out", "", "the folder of the kit: --out KIT")
    made = Release(_settings(args.course, grading=False), args.github or "")
    finder = LeakFinder(made, args.solutions)
    edited = args.check and args.out is not None and args.out.is_dir() and any(args.out.iterdir())
    if args.out is not None and not edited:
        check_new(args.out)
    leaks = finder.in_folder(args.out) if edited else finder.in_release()
    if args.json:
        print(as_json(leaks, finder.notes))
    else:
        print("".join(f"{line}\n" for line in (*leaks, *(f"note: {note}" for note in finder.notes))), end="")
    say = (lambda line: print(line, file=sys.stderr)) if args.json else print
    where = args.out if edited else "the kit"
    count = f"{len(leaks)} leak{'s' * (len(leaks) != 1)}"
    if leaks and (args.check or not args.anyway):
        say(f"{count} in {where}" if args.check else f"{count}, so nothing was written. Mend them, or release --anyway")
        return 1
    if args.check:
        if args.out is not None and not edited:
            say(f"There is no kit in {args.out}, so what would be written there was looked at.")
        say(f"Nothing leaks from {where}." if edited else f"Nothing would leak from {where}.")
        return 0
    if args.out is not None:
        made.write(args.out)
        size = sum(map(len, made.files.values()))
        place = args.out if args.out.is_absolute() else f".{os.sep}{args.out}"  # pip takes a bare name for one of its index
        say(f"The kit for learners is in {args.out}: {len(made.files)} files, {size / 1e6:.1f} MB. To install it:")
        say(f'  pip install "{place}[lab]"')
    if args.gradescope is not None:
        write_gradescope(made, args.gradescope)
        say(f"The autograder for Gradescope is {args.gradescope}")
    return 0
