# SPDX-License-Identifier: GPL-2.0-only
"""Injected faults: the judge's exact audit finds each of them and complains about no healthy machine; repair is complete."""

import pytest

from kvmmmu_lab.check.fault_injection import MISTAKES, mistake
from kvmmmu_lab.check.oracle import REFERENCES
from kvmmmu_lab.check.scenarios import as_scenario
from kvmmmu_lab.check.testbench import Bench
from kvmmmu_lab.errors import InputError
from kvmmmu_lab.inspect.dump import state
from kvmmmu_lab.labs import small_guest

from .checking import EXERCISES

AUDIT = REFERENCES["audit"]
FINDS = {"open": {"wp"}, "let in": {"rmap", "wp"}, "mislead": {"map"}, "stray": set(), "slot": set()}
"""Kinds of complaints by mistake, if they are not just rmap."""


def answers(scenario):
    """Yield whether the machine was healthy, and the complaints, for each audit in a scenario."""
    bench, healthy = Bench(scenario, {}, AUDIT), True
    for step in scenario.steps:
        result = bench.do(step)
        if not isinstance(step, dict):
            healthy = step[0] == "mend" or (healthy and step[0] not in ("corrupt", "poke", "map", "maps"))
            if step[0] == "audit":
                yield healthy, result


def test_the_exact_audit_complains_in_each_scenario_but_about_no_healthy_machine():
    silent = 0
    for rule in EXERCISES["10_audit"].rules:
        for scenario in [*rule.cases, *map(as_scenario, rule.engine)]:
            found = list(answers(scenario))
            assert any(complaints for _, complaints in found), scenario
            assert all(not complaints for healthy, complaints in found if healthy), scenario
            silent += sum(healthy for healthy, _ in found)
    assert silent >= 50


@pytest.mark.parametrize("what", MISTAKES)
def test_each_mistake_is_found_and_repaired(what):
    guest = small_guest("64", 0x1000, 0x2000)
    vm = guest.vm
    vm.access(0x1000, write=True)
    table = guest.table(0x1000)
    vm.poke(guest.entry_gpa(0x2000) + 8, table << 12 | 0x67)
    vm.access(0x3000)
    before = state(vm)
    mend = mistake(what).plant(vm, 0, table + 1)
    assert {kind for kind, _ in AUDIT["audit"](vm)} == FINDS.get(what, {"rmap"})
    mend()
    assert state(vm) == before and AUDIT["audit"](vm) == []


def test_a_mistake_that_fits_nowhere_changes_nothing():
    vm = small_guest("64").vm
    assert mistake("forget").plan(vm) is None
    mistake("forget").plant(vm)()
    with pytest.raises(InputError, match="one of forget"):
        mistake("forgive")
