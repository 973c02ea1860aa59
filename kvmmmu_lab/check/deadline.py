# SPDX-License-Identifier: GPL-2.0-only
"""The time that a whole check may take."""

from __future__ import annotations

import contextlib
import copy
import math
import os
import time
from collections.abc import Iterator

from ..errors import OutOfTime
from .sandbox.limits import CHECK, TIME

FULL = 4.0
"""The factor for a check that replays whole traces."""


class Deadline:
    """The end of a check (``end``, in `time.monotonic` time), which begins now.

    There is one for reading the submission, starting workers, trying rules, shortening scenarios, and drawing. Whatever waits
    or computes for long asks it often, since another thread may `stop` the check. ``inline``, for a debugger, has no end.
    ``seconds``: how long the check may take, if not as long as usual.
    """

    what = "the check as a whole"

    def __init__(self, *, full: bool = False, inline: bool = False, seconds: float | None = None) -> None:
        usual = math.inf if inline else CHECK.value * TIME.value * (FULL if full else 1)
        self.seconds = usual if seconds is None else seconds
        self.end = time.monotonic() + self.seconds

    @property
    def for_reading(self) -> Deadline:
        """The end of the time for reading the submission: half of what is left."""
        part = copy.copy(self)
        part.what, part.seconds = "reading your code, which may take half of the time for a check,", self.left / 2
        part.end = time.monotonic() + part.seconds
        return part

    @property
    def left(self) -> float:
        """The time that is left, in seconds."""
        return max(0.0, self.end - time.monotonic())

    @property
    def passed(self) -> bool:
        """Whether the time is over."""
        return time.monotonic() >= self.end

    def check(self) -> None:
        """Raise OutOfTime if the time is over."""
        if self.passed:
            raise OutOfTime(f"{self.what} took longer than {self.seconds:.3g} {CHECK.unit}{_busy()}; {CHECK.how}")

    def stop(self) -> None:
        """End the check now."""
        self.end = time.monotonic()

    @contextlib.contextmanager
    def until_exception(self) -> Iterator[None]:
        """End the check if an exception, such as that for Ctrl+C, leaves the block: other threads that work for it end soon."""
        try:
            yield
        except BaseException:
            self.stop()
            raise


def _busy() -> str:
    """What is said if this computer has much else to do; else nothing."""
    load, processors = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0, os.cpu_count() or 1
    return " on a computer that is busy with other things" if load > 3 * processors else ""
