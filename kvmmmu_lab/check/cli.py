# SPDX-License-Identifier: GPL-2.0-only
"""The commands ``check``, ``hint`` and ``watch``.

A check starts the fork server before it loads the judge (see `sandbox.forkserver`); so the judge is imported in the functions.
"""

from __future__ import annotations

import _weakrefset
import argparse
import contextlib
import gc
import json
import signal
import sys
import threading
import weakref
from collections.abc import Iterator
from types import FrameType

from .sandbox.forkserver import CAN_FORK, ForkServer


def check(args: argparse.Namespace) -> int:
    """Run the command ``check NAME [FILE]``. The exit status is 0 if the submission has full points."""
    with _server(args.inline) as server:
        from .. import exercises, workspace
        from ..progress import Progress
        from . import answers
        from .console import judge, own_file, show, working_folder
        from .deadline import Deadline
        from .sandbox.inline import INLINE
        from .submission import read

        deadline = Deadline(full=args.full, inline=args.inline)
        exercise = exercises.find(args.exercise, workspace.course_root())
        folder = args.folder or working_folder()
        given = read(args.file or own_file(exercise, folder), deadline)
        if args.json:
            report = judge(exercise, given, server=server, seed=args.seed, full=args.full, deadline=deadline).report()
            print(json.dumps(report.as_data(), indent=1))
            return int(not report.passed)
        if args.inline:
            print(INLINE, file=sys.stderr)
        options = {"every": args.all, "seed": args.seed, "full": args.full, "inline": args.inline, "deadline": deadline}
        report = show(exercise, given, again=_arguments(args), server=server, **options)
        for note in report.notes:
            if answers.new_note(note):
                print(f"\n{note} (kvmmmu-lab doctor tells it again)")
        if not args.file and not args.inline:
            Progress().points(exercise.name, report.points)
        return int(not report.passed)


def _arguments(args: argparse.Namespace) -> list[str]:
    """The arguments, after the exercise's name, that check the same submission in the same way."""
    given = [str(args.file)] if args.file else []
    given += ["--folder", str(args.folder)] if args.folder and not args.file else []
    given += ["--seed", str(args.seed)] if args.seed is not None else []
    return given + ["--full"] * args.full + ["--inline"] * args.inline


def hint(args: argparse.Namespace) -> int:
    """Run the command ``hint NAME``."""
    from . import hint as print_hint

    print_hint(args.exercise, args.number)
    return 0


def watch(args: argparse.Namespace) -> int:
    """Run the command ``watch [NAME]``."""
    with _server() as server:
        from .. import workspace
        from .console import working_folder
        from .session import WatchSession

        return WatchSession(args.folder or working_folder(), workspace.course_root(), args.exercise, server).run()


@contextlib.contextmanager
def _server(inline: bool = False) -> Iterator[ForkServer | None]:
    """A fork server, where there can be one and it is needed. If the command is terminated, it ends with all workers."""
    with ending_tidily(), ForkServer(here=True) if CAN_FORK and not inline else contextlib.nullcontext() as server:
        yield server


LATER = 0.01
"""After how many seconds a signal comes again."""


def _raise_in_main_thread(signum: int) -> None:
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, signum)  # also ends a call that waits
    else:
        signal.raise_signal(signum)


def _in_callback(frame: FrameType | None) -> bool:
    """Whether a frame is in a function that Python calls when it frees something: what is raised there is ignored."""
    codes = [getattr(callback, "__code__", None) for callback in gc.callbacks]
    while frame is not None:
        code = frame.f_code
        if code in codes or code.co_name == "__del__" or code.co_filename in (weakref.__file__, _weakrefset.__file__):
            return True
        frame = frame.f_back
    return False


@contextlib.contextmanager
def ending_tidily() -> Iterator[None]:
    """Let signals that terminate a command raise SystemExit, so that it stops its processes and restores the terminal.

    Python ignores what is raised in callbacks of the garbage collector, of which hypothesis has one, and of weak references.
    There the signal comes again.
    """
    wanted = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        wanted = []
    before = {signum: signal.getsignal(signum) for signum in wanted}
    usual = (signal.SIG_DFL, signal.default_int_handler)
    caught = [signum for signum, handler in before.items() if handler in usual]  # nohup, for example, ignores them

    def end(signum: int, frame: FrameType | None) -> None:
        if _in_callback(frame):
            threading.Timer(LATER, _raise_in_main_thread, (signum,)).start()
        elif signum == signal.SIGINT:
            raise KeyboardInterrupt
        else:
            for each in caught:
                signal.signal(each, signal.SIG_IGN)
            raise SystemExit(128 + signum)

    for signum in caught:
        signal.signal(signum, end)
    try:
        yield
    finally:
        for signum in caught:
            signal.signal(signum, before[signum])
