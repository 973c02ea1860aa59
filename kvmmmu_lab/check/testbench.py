# SPDX-License-Identifier: GPL-2.0-only
"""A testbench: run the steps of a scenario with a part under test, and observe the machine after each step.

The judge runs it with the kit's own parts, a worker with those of a submission.
"""

from __future__ import annotations

from typing import Any

from ..exercises import StepData
from .observe import Seen, observe
from .steps import read_step
from .subject import Subject, counts


class Bench(Subject):
    """A subject that can perform steps and be observed."""

    def do(self, step: StepData) -> Any:
        """Do one step and return its result. Exceptions that a part raises propagate."""
        vm = self.vm
        self.events.clear()
        vm.injected = []
        vm.caches.top_up(None)
        self.before = counts(vm)
        self.result = read_step(step).do(self)
        return self.result

    def see(self, looks: tuple[str, ...], hashed: bool = False, whole: bool = True) -> Seen:
        """Make these observations now (see `observe.View`)."""
        return observe(self, looks, hashed, whole)
