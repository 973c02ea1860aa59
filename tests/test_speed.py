# SPDX-License-Identifier: GPL-2.0-only
"""The kit is as fast as it promises. The measurements are those of ``kvmmmu-lab bench``."""

import pytest

from kvmmmu_lab import bench
from kvmmmu_lab.draw.render import VARIABLE, renderers
from kvmmmu_lab.mmu.rmap import ReverseMap

from .pace import best

pytestmark = pytest.mark.speed


def least(measure, rounds=5):
    """The least of each figure that does not depend on how fast the machine is."""
    return [min(values) for values in zip(*(measure() for _ in range(rounds)), strict=True)]


def test_recording_slows_the_engine_at_most_5_times():
    slowdown, _, bytes_per_step = least(bench.recorded)
    assert slowdown <= 5 and bytes_per_step <= 1024


def test_a_replaced_part_is_recorded_with_the_same_slowdown():
    class Mine(ReverseMap):
        """A recording doesn't recognise this class as the kernel's reverse map."""

    slowdown, _, _ = least(lambda: bench.recorded(rmap=Mine), rounds=3)
    assert slowdown <= 5


def test_any_jump_takes_at_most_10_ms():
    [slowest_seek] = best(lambda: bench.recorded()[1:2], 10)
    assert slowest_seek <= 10


@pytest.mark.parametrize(("renderer", "limit"), [("dot", 400), ("graphviz-pure", 800)])
def test_the_first_picture_of_a_fault_and_its_film(renderer, limit, monkeypatch):
    if renderer not in [one.name for one in renderers()]:
        pytest.skip(f"{renderer} is not installed")
    monkeypatch.setenv(VARIABLE, renderer)
    picture, film = best(bench.pictures, limit, 1000)
    assert picture <= limit and film <= 1000
