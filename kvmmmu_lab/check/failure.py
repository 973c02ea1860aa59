# SPDX-License-Identifier: GPL-2.0-only
"""From a run that went wrong to what a learner reads: the sentence, the steps in words, what should be beside what is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from ..errors import HostCrash, LabError
from ..exercises import Boot, Exercise, Golden, Rule, Scenario
from ..mmu.memory import FIRST_SHADOW
from ..mmu.pool import NUM_PAGES
from . import compare
from .explain import ref, sentence
from .oracle import Expected
from .report import Failure
from .sandbox.client import DAMAGED, Run
from .side_by_side import drawn
from .steps import say
from .submission import CELLS, Submission

Play = Callable[[Scenario, tuple[str, ...], int | None], Run]
"""Plays a scenario with the submission, and tells the machine after one step."""


def judged(rule: Rule, run: Run, seen: compare.Transcript, broke: bool) -> Failure | None:
    """What is wrong with a run; None if nothing is."""
    try:
        found = compare.difference(seen, run.seen, rule.looks)
    except (ValueError, RecursionError):
        return Failure("", kind="damaged", error={"what": DAMAGED})
    if found is not None:
        return Failure("", kind="differs", step=found.step, look=found.look, difference=found)
    if run.end == "done":
        if broke:
            return Failure("", kind="silent", step=len(seen), error={"type": "nothing", "what": "was raised"})
        return None
    if broke and run.end == "raised" and len(run.seen) == len(seen) and run.error.get("kind") != "unwritten":
        return None  # the kit's own part stops here, too
    kind = run.error.get("kind", run.end) if run.end == "raised" else run.end
    return Failure("", kind=str(kind), step=len(run.seen), look=str(run.error.get("type", "")), error=run.error)


NUMBERED = re.compile(r"spte (0x[0-9a-f]+)")
"""An spte as the engine's own errors write it."""


def _named(found: re.Match[str]) -> str:
    number = int(found[1], 16) - (FIRST_SHADOW << 9)
    return f"spte {ref(number)}" if 0 <= number < NUM_PAGES << 9 else found[0]


class Teller:
    """Tells failures of one submission."""

    def __init__(self, exercise: Exercise, submission: Submission, expected: Expected, play: Play) -> None:
        self.exercise, self.submission, self.expected, self.play = exercise, submission, expected, play

    def told(self, rule: Rule, scenario: Scenario, found: Failure, stretch: Golden | Boot | None) -> Failure:
        """The same failure, with its sentence, its steps in words, and a picture."""
        said = list(self._said(scenario, found.step))
        last = said[-1].partition(" [")[0] if said else ""
        after = f"after step {found.step + 1}, {last}: " if len(said) > 1 else f"{last}: " if said else ""
        hashed = stretch is not None
        if found.difference is not None:
            detail = found if not hashed else self._detailed(rule, scenario, found)
            assert detail.difference is not None
            picture = self._picture(rule, scenario, detail) if not isinstance(stretch, Boot) else None
            return replace(
                detail, sentence=after + sentence(detail.difference), steps=tuple(said), scenario=scenario,
                picture=picture, stretch=stretch,
            )  # fmt: skip
        return replace(found, sentence=self.ended(found, after), steps=tuple(said), scenario=scenario, stretch=stretch)

    def _said(self, scenario: Scenario, last: int) -> Iterator[str]:
        bench = self.expected.bench(scenario)
        for step in scenario.steps[: last + 1]:
            try:
                yield say(step, bench.vm)
                bench.do(step)
            except LabError:
                continue

    def _detailed(self, rule: Rule, scenario: Scenario, found: Failure) -> Failure:
        """The difference itself, where only digests were compared."""
        short = scenario.with_steps(scenario.steps[: found.step + 1])
        run = self.play(short, rule.looks, None)
        seen, broke = self.expected(short, rule.looks, hashed=False)
        again = judged(rule, run, seen, broke)
        return again if again is not None and again.difference is not None else found

    def _picture(self, rule: Rule, scenario: Scenario, found: Failure) -> Any:
        assert found.difference is not None
        short = scenario.with_steps(scenario.steps[: found.step + 1])
        run = self.play(short, rule.looks, found.step)
        if len(run.seen) <= found.step:
            return None
        bench = self.expected.bench(short)
        try:
            for step in short.steps:
                bench.do(step)
        except HostCrash:
            return None
        return drawn(bench.vm, run.seen[found.step].get("machine"), found.difference)

    def ended(self, found: Failure, after: str) -> str:
        """A run that didn't come to its end, in a sentence."""
        error = found.error | {"what": NUMBERED.sub(_named, str(found.error.get("what")))}
        function, line = error.get("function", ""), error.get("line")
        function = "" if function == "<module>" else function
        counted = line and self.submission.name != CELLS  # of cells that were put together, lines have no number
        where = f" in {function}()" if function else ""
        where += f", line {line}" if counted and function else f" in line {line}" if counted else ""
        code = self.submission.line(line) if isinstance(line, int) else ""
        where += f" ({code})" if code else ""
        return {
            "timeout": f"{after}it doesn't come to an end; when it was stopped it stood{where or ' outside of your code'}",
            "missing": f"the file doesn't define {error.get('what')}",
            "unwritten": f"{after}nothing is written yet: NotImplementedError{where}",
            "absent": f"{after}{error.get('what')}{where}",
            "forbidden": f"{after}{error.get('what')}, which is not allowed during a check{where}",
            "memory": f"{after}it used up all memory that it may have{where}",
            "died": f"{after}{error.get('what')}{where}",
            "damaged": f"{after}{error.get('what')}",
            "silent": f"{after}this must not go unnoticed: raise an exception, as the README says",
        }.get(found.kind, f"{after}{error.get('type')}: {error.get('what')}{where}")
