# SPDX-License-Identifier: GPL-2.0-only
"""A testbench: run the steps of a scenario with a part under test, and observe the machine after each step.

The judge runs it with the kit's own parts, a worker with those of a submission.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..exercises import StepData
from ..mmu.shadow import page_of
from .observe import Seen, observe
from .parts import Part
from .steps import read_step
from .subject import Subject, counts, in_shadow_page


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
        self.stores = [event for event in self.events if event[0].change]
        self.touched.update([page_of(event[1] >> 3) for event in self.stores if in_shadow_page(event)])
        return self.result

    def see(self, looks: tuple[str, ...], hashed: bool = False, whole: bool = True) -> Seen:
        """Make these observations now (see `observe.View`)."""
        return observe(self, looks, hashed, whole)

    def play(
        self, steps: Sequence[StepData], looks: tuple[str, ...], hashed: bool = False, part: Part | None = None
    ) -> Iterator[Seen]:
        """Do all steps, and yield the observations after each.

        ``part``: if given, observe only after the steps that run this part, and after the last one; the observations after
        the others are empty. All others are the work of the engine alone, so they can't be the first that goes wrong.
        """
        for left, step in zip(range(len(steps) - 1, -1, -1), steps, strict=True):
            self.do(step)
            if part is None or not left or part.runs_in(step, self.events):
                yield self.see(looks, hashed, whole=not left)
            else:
                yield {}
