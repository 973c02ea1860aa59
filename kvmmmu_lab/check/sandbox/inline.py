# SPDX-License-Identifier: GPL-2.0-only
"""Run a submission in the judge's process, for a debugger. No limits apply, exceptions propagate, results do not count."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...errors import InputError
from ...exercises import Exercise, Scenario
from ..parts import PARTS, missing
from ..submission import Submission
from ..testbench import Bench
from .client import Run
from .loading import execute, provide_shell
from .machine_data import machine_data

INLINE = "run in this process (--inline) for a debugger: there are no limits, and the result does not count"


class Inline:
    """The interface of a `Worker`, without a process."""

    printed, print_count, alive = b"", 0, True
    failed: dict[str, Any] | None = None

    def __init__(self, exercise: Exercise, submission: Submission) -> None:
        path = Path(submission.path)
        units = {unit.file if submission.cells else submission.path or unit.file: unit.source for unit in submission.units}
        if submission.cells:
            provide_shell()
        if submission.files:
            sys.path.insert(0, str(path.parent))
        sys.argv = [submission.name]
        self.defined = execute(units, None if submission.cells else submission.path or submission.name)
        lacking = missing(self.defined, exercise.defines)
        if lacking:
            raise InputError("submission", submission.name, f"a file that defines {', '.join(lacking)}")
        self.part = PARTS[exercise.part]
        self.ready = self.part.parts(self.defined, exercise.defines[0])

    def run(
        self,
        scenario: Scenario,
        looks: tuple[str, ...],
        hashed: bool = False,
        sparse: bool = False,
        detail: int | None = None,
        seconds: float = 0,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> Run:
        """Play a scenario; ``seconds`` is not enforced."""
        meanwhile()
        run = Run()
        self.play(run, scenario, looks, hashed, sparse, detail)
        return run

    def play(
        self, run: Run, scenario: Scenario, looks: tuple[str, ...], hashed: bool, sparse: bool, detail: int | None
    ) -> None:
        """Add to ``run`` what is seen after each step."""
        bench = Bench(scenario, self.ready, self.defined)
        for number, seen in enumerate(bench.play(scenario.steps, looks, hashed, self.part if sparse else None)):
            if number == detail:
                seen["machine"] = machine_data(bench.vm)
            run.seen.add(seen)

    def ask(self, *_: object) -> None:
        """Do nothing: no scenario is sent in advance."""

    def settle(self) -> None:
        """Do nothing: no answers are pending."""

    def drain(self) -> None:
        """Do nothing: output goes to the terminal."""

    def close(self) -> None:
        """Do nothing: there is no process to terminate."""
