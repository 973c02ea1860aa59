# SPDX-License-Identifier: GPL-2.0-only
"""Playing a scenario: what is observed after each step."""

import pytest

from kvmmmu_lab.check.parts import PARTS
from kvmmmu_lab.check.testbench import Bench
from kvmmmu_lab.exercises import play

TABLE = 0x13
WRITES = play(
    ("shadowed", TABLE), ("map", "251:1", 0x21, "PW"), ("write", 0x30008, 8, 0), ("poke", 0x13010, 8, 7), ("shadowed", 0x14),
    ("access", 0x5000, ""),
)  # fmt: skip


def seen(part, *looks):
    """What is observed after each step; ``part``: only after those that run it."""
    return list(Bench(WRITES, {}, {}).play(WRITES.steps, looks, part=part and PARTS[part]))


def test_without_a_part_every_step_is_observed():
    assert all("rmap" in each for each in seen(None, "rmap"))


@pytest.mark.parametrize(
    ("part", "observed"),
    [
        ("pre_write", [2, 5]),  # a write, and the last step
        ("set_spte", [5]),
        ("walk", [5]),
        ("audit", [5]),
        ("rmap_add", [0, 1, 2, 3, 4, 5]),  # the observation itself calls its methods
        ("parents", [0, 1, 2, 3, 4, 5]),
    ],
)
def test_with_a_part_only_those_steps_are_observed_that_run_it_and_the_last(part, observed):
    found = seen(part, "rmap", "sptes", "result")
    assert [step for step, each in enumerate(found) if each] == observed
    every = seen(None, "rmap", "sptes", "result")
    assert all(each in ({}, right) for each, right in zip(found, every, strict=True))
