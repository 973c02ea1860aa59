# SPDX-License-Identifier: GPL-2.0-only
"""The progress of a run: one line that a terminal shows in place, or a line every few seconds."""

from __future__ import annotations

import shutil
import sys
import time
from collections import deque
from typing import TextIO

from ..check.failure import CRASHED, TIMED_OUT
from ..printable import one_line, shortened
from .mark import NOT_JUDGED, NOT_READABLE, Mark

WRONG = (NOT_JUDGED, NOT_READABLE, TIMED_OUT, CRASHED)
"""Statuses that are told at once: something may have to be done about them while the run goes on."""

EVERY, OFTEN = 5.0, 0.1
"""Seconds between two lines, and between two changes of the line on a terminal."""

RECENT = 100
"""How many of the last marks the rate is computed from."""


class ProgressLine:
    """The progress of a run with ``total`` hand-ins."""

    def __init__(self, total: int, stream: TextIO | None = None) -> None:
        self.total, self.stream = total, stream or sys.stderr
        self.terminal = self.stream.isatty()
        self.done, self.wrong, self.shown = 0, "", False
        self.last = time.monotonic()
        self.times = deque([self.last], RECENT)

    def skip(self) -> None:
        """Count a hand-in that need not be judged."""
        self.done += 1
        self._show()

    def tell(self, mark: Mark) -> None:
        """Count a hand-in that has been judged."""
        self.done += 1
        self.times.append(time.monotonic())
        if mark.status in WRONG:
            self.wrong = f"{mark.learner}, {mark.exercise}: {mark.status}"
            self.wrong += f": {mark.problem}" if mark.problem else ""
        self._show()

    @property
    def rate(self) -> float:
        """The number of marks per second, of late."""
        seconds = time.monotonic() - self.times[0]
        return (len(self.times) - 1) / seconds if seconds > 0 else 0.0

    def __str__(self) -> str:
        """What is done, how fast, how long the rest takes, and what went wrong last, in one line."""
        text = f"{self.done:,} of {self.total:,}"
        if len(self.times) > 1:
            text += f", {self.rate:.3g} per second"
            left = max(0, self.total - self.done)
            text += f", {duration(left / self.rate)} left" if left and self.rate else ""
        return text + (f"; last trouble: {one_line(self.wrong)}" if self.wrong else "")

    def _show(self) -> None:
        now = time.monotonic()
        if now - self.last < (OFTEN if self.terminal else EVERY):
            return
        self.last = now
        if not self.terminal:
            print(shortened(str(self), 200), file=self.stream, flush=True)
            return
        width = shutil.get_terminal_size().columns - 1
        self._control("\r\x1b[K")
        self.stream.write(shortened(str(self), max(20, width)))
        self.stream.flush()
        self.shown = True

    def _control(self, sequence: str) -> None:
        getattr(self.stream, "control", self.stream.write)(sequence)

    def end(self) -> None:
        """Take the line away from the terminal."""
        if self.shown:
            self._control("\r\x1b[K")
            self.stream.flush()
            self.shown = False

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


def duration(seconds: float) -> str:
    """A time in words: "40 s", "3 min 20 s", "2 h 5 min"."""
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"
