# SPDX-License-Identifier: GPL-2.0-only
"""What the kit's own part shows in a scenario, and the random scenarios of a rule. Both are remembered: a judge that has
checked one submission checks the next one faster."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

from ..errors import HostCrash
from ..exercises import Boot, Golden, Rule, Scenario
from .bench import Bench
from .compare import Texts
from .references import REFERENCES

Shown = tuple[Texts, bool]
"""What is seen after each step, and whether the kit's own part ends in a crash of the host."""

MOST = 5_000
"""So many scenarios are remembered."""

_known: dict[Any, Shown] = {}


class Expected:
    """What the kit's own part shows, for the exercises about one ``part``."""

    def __init__(self, part: str) -> None:
        self.part = part

    def bench(self, scenario: Scenario) -> Bench:
        """A bench with the kit's own part."""
        return Bench(scenario, {}, REFERENCES.get(self.part, {}))

    def __call__(
        self, scenario: Scenario, looks: tuple[str, ...], stretch: Golden | Boot | None = None, *, hashed: bool
    ) -> Shown:
        """After each step. ``stretch``: all of what this scenario stands for, by which it is remembered."""
        key = (self.part, looks, hashed, scenario if stretch is None else stretch)
        try:
            return _known[key]
        except KeyError:
            if len(_known) >= MOST:
                _known.clear()
            _known[key] = shown = self._play(scenario, looks, hashed)
            return shown
        except TypeError:  # operations of golden traces are dicts: a part of a stretch isn't remembered
            return self._play(scenario, looks, hashed)

    def _play(self, scenario: Scenario, looks: tuple[str, ...], hashed: bool) -> Shown:
        seen = Texts()
        bench = self.bench(scenario)
        try:
            for number, step in enumerate(scenario.steps, 1):
                done = bench.do(step)
                seen.add(done | bench.see(looks, hashed, whole=number == len(scenario.steps)))
        except HostCrash:
            return seen, True
        return seen, False


@functools.lru_cache(maxsize=256)
def drawn_scenarios(exercise: str, rule: Rule, seed: int) -> tuple[Scenario, ...]:
    """The random scenarios of a rule, made by hypothesis; the same ones for the same seed."""
    import hypothesis
    from hypothesis import HealthCheck, Phase
    from hypothesis.configuration import set_hypothesis_home_dir

    assert rule.drawn is not None
    # else it leaves a folder where the learner works
    set_hypothesis_home_dir(Path(tempfile.gettempdir()) / "kvmmmu-lab-hypothesis")
    found: list[Scenario] = []

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=rule.examples, database=None, deadline=None, phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @hypothesis.given(rule.drawn())
    def each(scenario: Scenario) -> None:
        found.append(scenario)

    each()
    return tuple(found)
