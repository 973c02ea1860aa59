# SPDX-License-Identifier: GPL-2.0-only
"""``kvmmmu-lab watch``: a terminal session that checks the current exercise each time its file is saved."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from .. import exercises
from ..errors import InputError, LabError
from ..exercises import Exercise
from ..progress import Progress
from .answers import KnownAnswers, known_answers
from .console import own_file, show
from .deadline import Deadline
from .hints import next_hint
from .judge import UNJUDGED, show_traceback
from .sandbox.forkserver import ForkServer
from .submission import read

MENU = "[h] hint   [n] next   [p] previous   [c] check again   [l] list   [q] quit"
Stamp = tuple[tuple[int, int], ...]
NEVER: Stamp = ()
"""The time stamp recorded for a file that has not been checked yet."""

POLL = 0.03
"""Seconds between two checks of the file's time stamp."""


class WatchSession:
    """A session of ``watch``. ``at`` is the index of the current exercise in the course, ``server`` forks the workers."""

    def __init__(self, folder: Path, root: Path, name: str | None = None, server: ForkServer | None = None) -> None:
        self.folder, self.root, self.server = folder, root, server
        self.progress = Progress()
        self.known: dict[str, KnownAnswers] = {}
        self.course = [exercises.load(path) for path in exercises.folders(root)]
        if not self.course:
            raise InputError("course", str(root), "a course with exercises: install the kit again")
        self.at = self._open() if name is None else self._named(name)
        self.seen: Stamp | None = NEVER
        self.keys = Keys()
        self.beside: tuple[str, ...] = ()

    def _named(self, name: str) -> int:
        wanted = exercises.find(name, self.root).name
        return [exercise.name for exercise in self.course].index(wanted)

    def _open(self) -> int:
        """The index of the first exercise without full points, or of the last exercise if all have full points."""
        return next((n for n, exercise in enumerate(self.course) if not self._done(exercise)), len(self.course) - 1)

    def _done(self, exercise: Exercise) -> bool:
        return self.progress.get(exercise.name, "best") >= exercise.points

    @property
    def exercise(self) -> Exercise:
        """The current exercise."""
        return self.course[self.at]

    def run(self) -> int:
        """Run until the user quits or stdin closes."""
        with self.keys:
            while True:
                self.look()
                key = self.keys.get(POLL)
                if key is None or key in ("q", "\x03", "\x04"):
                    print(self.summary())
                    return 0
                self.press(key)

    def look(self) -> None:
        """Check the exercise if its file has changed since the last check."""
        stamp = self._stamp()
        if stamp != self.seen:
            self.seen = stamp
            self.check()

    def _stamp(self) -> Stamp | None:
        """The times and sizes of the exercise's file and of the files that were taken along with it."""
        try:
            path = own_file(self.exercise, self.folder)
            found = [each.stat() for each in (path, *(path.parent / name for name in self.beside))]
            return tuple((one.st_mtime_ns, one.st_size) for one in found)
        except (OSError, LabError):
            return None

    def check(self) -> None:
        """Check the current exercise. If its file can't be checked, print why and continue."""
        _clear()
        with self.keys.at_rest():
            self._check()
        print(f"\n{MENU}", flush=True)

    def _check(self) -> None:
        try:
            path = own_file(self.exercise, self.folder)
            deadline = Deadline()
            given = read(path, deadline)
            self.beside = tuple(given.files)
            self.seen = self._stamp()
            report = show(self.exercise, given, server=self.server, deadline=deadline, known=self._known())
            self.progress.points(self.exercise.name, report.points)
            print(self._next() if report.passed else f"\nEdit {path}")
        except LabError as error:
            print(f"{error}")
        except Exception as error:  # a session goes on, whatever goes wrong in a check
            show_traceback()
            print(UNJUDGED.format(f"{type(error).__name__}: {error}"))

    def _known(self) -> KnownAnswers:
        """What earlier checks of the current exercise have found out."""
        if self.exercise.name not in self.known:
            self.known[self.exercise.name] = known_answers(self.exercise)
        return self.known[self.exercise.name]

    def _next(self) -> str:
        if all(self._done(exercise) for exercise in self.course):
            return "\nThat was the last one: you have solved them all."
        return "\nSolved! Press n for the next exercise."

    def press(self, key: str) -> None:
        """Handle a key; unknown keys do nothing."""
        if key in ("n", "p"):
            to = self.at + (1 if key == "n" else -1)
            if 0 <= to < len(self.course):
                self.at, self.seen, self.beside = to, NEVER, ()
            else:
                print("There is no exercise in that direction.", flush=True)
        elif key == "c":
            self.seen = NEVER
        elif key == "h":
            try:
                said = next_hint(self.exercise, self.progress)
            except LabError as error:
                said = f"{error}"
            print(f"\n{said}\n\n{MENU}", flush=True)
        elif key == "l":
            print(f"\n{self.summary()}\n\n{MENU}", flush=True)

    def summary(self) -> str:
        """All exercises with their best points so far."""
        rows, width = [], max(len(exercise.title) for exercise in self.course)
        for number, exercise in enumerate(self.course):
            best, here = self.progress.get(exercise.name, "best"), ">" if number == self.at else " "
            rows.append(f"{here} {exercise.number} {exercise.title:<{width}} {best:>2} of {exercise.points}")
        return "\n".join(rows)


class Keys:
    """Read single keys from a terminal, without Enter. If stdin is not a terminal, the first letter of each line is a key.

    Example: ``with Keys() as keys: keys.get(0.3)``. It returns a key, "" if none came in time, or None at the end of stdin.
    Meanwhile the terminal does not show what is typed. It is as before when a signal ends the process, except SIGKILL: then
    ``stty sane`` helps. So it is also as before while a submission runs (`at_rest`), should that kill the process.
    """

    def __init__(self) -> None:
        self.terminal = sys.stdin.isatty()
        self.before: Any = None
        self.waiting = b""

    def __enter__(self) -> Keys:
        if self.terminal and sys.platform != "win32":
            import termios

            self.before = termios.tcgetattr(sys.stdin)
            self._take()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._restore()

    def _take(self) -> None:
        if self.before is not None and sys.platform != "win32":
            import termios
            import tty

            with contextlib.suppress(termios.error):  # the terminal has been closed
                tty.setcbreak(sys.stdin, termios.TCSADRAIN)

    def _restore(self) -> None:
        if self.before is not None and sys.platform != "win32":
            import termios

            with contextlib.suppress(termios.error):
                termios.tcsetattr(sys.stdin, termios.TCSANOW, self.before)

    @contextlib.contextmanager
    def at_rest(self) -> Iterator[None]:
        """Leave the terminal as it was before for a while; keys that are pressed meanwhile are read later."""
        self._restore()
        try:
            yield
        finally:
            self._take()

    def get(self, seconds: float) -> str | None:
        """Wait for a key, for a limited time."""
        if sys.platform == "win32":
            return self._windows(seconds)
        import select

        # read without Python's buffer, because `select` does not know what the buffer holds
        if not self.waiting:
            if not select.select([sys.stdin], [], [], seconds)[0]:
                return ""
            self.waiting = os.read(sys.stdin.fileno(), 1024)
            if not self.waiting:
                return None
        key, self.waiting = self.waiting[:1], self.waiting[1:]
        return key.decode("ascii", "replace").strip().lower()

    def _windows(self, seconds: float) -> str | None:
        if not self.terminal:
            text = sys.stdin.readline()
            return text[:1].lower() if text else None
        import msvcrt

        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if msvcrt.kbhit():  # type: ignore[attr-defined,unused-ignore]
                return str(msvcrt.getwch()).lower()  # type: ignore[attr-defined,unused-ignore]
            time.sleep(0.02)
        return ""


def _clear() -> None:
    """Clear the screen if stdout is a terminal."""
    if sys.stdout.isatty():
        write = getattr(sys.stdout, "control", sys.stdout.write)
        write("\x1b[2J\x1b[H")
