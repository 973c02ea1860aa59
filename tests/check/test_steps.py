# SPDX-License-Identifier: GPL-2.0-only
"""Steps of scenarios: each can be executed and described, and describing it changes nothing."""

import contextlib

import pytest

from kvmmmu_lab.check.scenarios import as_scenario
from kvmmmu_lab.check.steps import ScenarioStep, read_step
from kvmmmu_lab.check.testbench import Bench
from kvmmmu_lab.errors import HostCrash, InputError
from kvmmmu_lab.exercises import Golden
from kvmmmu_lab.inspect.dump import state

from ..exercises.checking import EXERCISES

RULES = [rule for exercise in EXERCISES.values() for rule in exercise.rules]
SCENARIOS = [scenario for rule in RULES for scenario in rule.cases]


def test_data_become_a_step_with_named_operands():
    assert vars(read_step(["map", "7:12", 0x1F, "PW"])) == {"spte": "7:12", "gfn": 0x1F, "flags": "PW"}
    assert read_step(("access", 0x1000, "w")).size == 1, "a default"
    with pytest.raises(InputError, match=r"step is 'mop'; expected one of map, maps"):
        read_step(("mop", "7:12"))
    with pytest.raises(InputError, match=r"step is \('map', '7:12'\); expected \('map', spte, gfn, flags\)"):
        read_step(("map", "7:12"))


def test_every_kind_of_step_is_used_by_an_exercise():
    used = {step[0] for scenario in SCENARIOS for step in scenario.steps if not isinstance(step, dict)}
    assert ScenarioStep.kinds.keys() - used == {"boot", "operation", "mend"}, "these are in stretches for the whole engine"


@pytest.mark.parametrize("kind", ScenarioStep.kinds.values(), ids=ScenarioStep.kinds)
def test_each_kind_says_what_it_is(kind):
    assert kind.__doc__[0].isupper()


def test_a_step_is_said_before_it_happens_and_that_changes_nothing():
    golden = [as_scenario(stretch) for rule in RULES for stretch in rule.engine if isinstance(stretch, Golden)]
    for scenario in [*SCENARIOS[::7], *golden[::9]]:
        if any(not isinstance(step, dict) and step[0] in ("call", "audit") for step in scenario.steps):
            continue
        bench = Bench(scenario, {}, {})
        for step in scenario.steps[:20]:
            before = state(bench.vm)
            words = read_step(step).say(bench.vm)
            assert words and "\n" not in words and state(bench.vm) == before, (step, words)
            with contextlib.suppress(HostCrash):  # some scenarios end in a crash of the host
                bench.do(step)
