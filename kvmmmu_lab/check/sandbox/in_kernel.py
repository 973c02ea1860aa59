# SPDX-License-Identifier: GPL-2.0-only
"""Run a submission in the judge's own Python, in a browser tab that can have no worker for it (see `tab`).

Time is limited between two instructions of Python, so a loop in C code, or one that catches every exception, stops the
notebook. Nothing else is limited, and the kit's own version of the part is there. The report says so.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from ...exercises import Exercise, Scenario
from ..parts import PARTS, missing
from ..submission import Submission
from . import limits, loading
from .client import Run
from .inline import Inline
from .protocol import LOADING
from .runner import failure
from .tab_runner import AGAIN, Late


def find_watch() -> Callable[[float], None]:
    """Return the function that sends SIGINT after a number of seconds, or not if it is negative; ``runtime.js`` provides it."""
    import js  # there only in a browser tab

    watch: Callable[[float], None] = js.kvmmmu_watch
    return watch


class InKernel(Inline):
    """The interface of a `Worker`, without another Python."""

    def __init__(self, exercise: Exercise, submission: Submission) -> None:
        folder = str(Path(submission.path).parent)
        self.places = loading.Places({unit.file: unit.source for unit in submission.units}, folder)
        self.watch, self.part = find_watch(), PARTS[exercise.part]
        main = sys.modules["__main__"]
        try:
            self.failed = self._limited(LOADING * limits.TIME.value, lambda: self._load(exercise, submission))[1] or None
        finally:
            sys.modules["__main__"] = main

    def _load(self, exercise: Exercise, submission: Submission) -> None:
        if submission.objects:
            self.defined = loading.unpickle(submission.objects, self.places.units)
        else:
            if submission.files and self.places.folder not in sys.path:
                sys.path.insert(0, self.places.folder)
            self.defined = loading.execute(self.places.units, None if submission.cells else submission.path or submission.name)
        lacking = missing(self.defined, exercise.defines)
        if lacking:
            raise NameError(f"{', '.join(lacking)}: not defined")
        self.ready = self.part.parts(self.defined, exercise.defines[0])

    def run(
        self,
        scenario: Scenario,
        looks: tuple[str, ...],
        hashed: bool = False,
        sparse: bool = False,
        detail: int | None = None,
        seconds: float = 2.0,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> Run:
        """Play a scenario."""
        meanwhile()
        run = Run()
        run.end, run.error = self._limited(seconds, lambda: self.play(run, scenario, looks, hashed, sparse, detail))
        return run

    def _limited(self, seconds: float, work: Callable[[], None]) -> tuple[str, dict[str, Any]]:
        """Work for a limited time; return how it ended, as `Run` has it."""
        before = signal.signal(signal.SIGINT, self._stop)
        self.watch(seconds)
        try:
            work()
        except BaseException as error:
            found = failure(error, self.places)
            if not isinstance(error, Late):
                return "raised", found
            limit = f"the limit is {seconds:g} second{'s' * (seconds != 1)}"
            more = f"{limits.TIME.variable}={4 * limits.TIME.value:g} allows four times as much"
            place = {key: value for key, value in found.items() if key in ("file", "line", "function")}
            return "timeout", {"kind": "timeout", "what": f"{limit}; {more}", **place}
        finally:
            self.watch(-1)
            signal.signal(signal.SIGINT, before)
        return "done", {}

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.watch(AGAIN)  # it may catch the exception
        raise Late("it is late")
