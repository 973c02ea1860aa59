# SPDX-License-Identifier: GPL-2.0-only
"""A failing scenario is shrunk to the steps that matter."""

from hypothesis import given
from hypothesis import strategies as st

from kvmmmu_lab.check.shrink import shrink
from kvmmmu_lab.exercises import Scenario


@given(st.lists(st.integers(0, 9), max_size=40), st.sets(st.integers(0, 9), min_size=1, max_size=4))
def test_only_needed_steps_stay(steps, needed):
    """The scenario fails as soon as all needed steps have been seen, whatever other steps it has."""

    def fails(scenario):
        seen = set()
        for number, (step,) in enumerate(scenario.steps):
            seen.add(step)
            if needed <= seen:
                return number
        return None

    scenario = Scenario(tuple((step,) for step in steps))
    step = fails(scenario)
    if step is None:
        return
    small = shrink(scenario, step, fails, 10)
    assert sorted(small.steps) == sorted((step,) for step in needed)
    assert fails(small) == len(small.steps) - 1


def test_create_stays_and_entries_that_are_not_needed_go():
    scenario = Scenario(
        ({"op": "create", "slots": [[0, 8, 0]]}, ("a",), ("b",)), mode="64", root=1, entries=((1, 0, 2, "P"), (2, 0, 3, "P"))
    )
    small = shrink(scenario, 2, lambda s: len(s.steps) - 1 if ("b",) in s.steps and (1, 0, 2, "P") in s.entries else None, 5)
    assert small.steps == ({"op": "create", "slots": [[0, 8, 0]]}, ("b",))
    assert small.entries == ((1, 0, 2, "P"),) and small.mode == "64"


def test_without_time_it_is_only_cut_after_the_step_that_fails():
    scenario = Scenario((("a",), ("b",), ("c",)))
    assert shrink(scenario, 1, lambda s: 0, 0).steps == (("a",), ("b",))
