# SPDX-License-Identifier: GPL-2.0-only
"""What the kit promises about its speed, as ``kvmmmu-lab bench`` measures it. Other work only ever makes it slower."""

import subprocess
import sys
import time
from dataclasses import replace

import pytest

from kvmmmu_lab import bench
from kvmmmu_lab.check.judge import Judge
from kvmmmu_lab.check.nursery import Nursery
from kvmmmu_lab.check.submission import read
from kvmmmu_lab.draw.render import VARIABLE, renderers
from kvmmmu_lab.mmu.rmap import ReverseMap

from .exercises.checking import EXERCISES, ROOT, solutions

pytestmark = pytest.mark.speed


def best(measure, rounds=5):
    return [min(values) for values in zip(*(measure() for _ in range(rounds)), strict=True)]


def test_recording_slows_the_engine_at_most_5_times_and_any_step_is_there_in_10_ms():
    slowdown, slowest_seek, bytes_per_step = best(bench.recorded)
    assert slowdown <= 5 and slowest_seek <= 10 and bytes_per_step <= 1024


def test_a_replaced_part_is_recorded_at_that_price_as_well():
    class Mine(ReverseMap):
        """Not the kernel's own, as far as a recording knows."""

    slowdown, _, _ = best(lambda: bench.recorded(rmap=Mine), rounds=3)
    assert slowdown <= 5


@pytest.mark.parametrize(("renderer", "limit"), [("dot", 400), ("graphviz-pure", 800)])
def test_the_first_picture_of_a_fault_and_its_film(renderer, limit, monkeypatch):
    if renderer not in [one.name for one in renderers()]:
        pytest.skip(f"{renderer} is not here")
    monkeypatch.setenv(VARIABLE, renderer)
    picture, film = best(bench.pictures)
    assert picture <= limit and film <= 1000


# Exercises


@pytest.mark.parametrize("name", EXERCISES)
def test_a_right_solution_is_checked_in_2_seconds_from_the_command_line(name):
    (wheat, *_) = [path for of, path in solutions("wheats") if of == name]
    command = [sys.executable, "-m", "kvmmmu_lab", "check", EXERCISES[name].name, str(wheat)]

    def measure():
        begin = time.perf_counter()
        assert subprocess.run(command, cwd=ROOT, capture_output=True).returncode == 0
        return [time.perf_counter() - begin]

    assert best(measure, rounds=3)[0] <= 2


@pytest.mark.parametrize("name", EXERCISES)
def test_a_wrong_solution_gets_its_first_feedback_within_a_second(name):
    """From the command line, over a sample of wrong ones: until the sentence stands there."""
    for _, path in [found for found in solutions("chaffs") if found[0] == name][::7]:
        command = [sys.executable, "-m", "kvmmmu_lab", "check", EXERCISES[name].name, str(path)]

        def measure(command=command):
            begin = time.perf_counter()
            with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
                for line in process.stdout:
                    if line.startswith(("✗", "!", "…")):
                        break
                seconds = time.perf_counter() - begin
                process.stdout.read()
            return [seconds]

        assert best(measure, rounds=3)[0] <= 1, path


def test_a_warm_worker_checks_one_more_submission_in_a_quarter_of_a_second():
    """From fork to the last verdict of what is tried on small scenarios; the engine's stretches are replayed apart."""
    exercise = EXERCISES["04_rmap_add"]
    small = replace(exercise, rules=tuple(rule for rule in exercise.rules if not rule.engine and rule.drawn is None))
    (wheat, *_) = [path for of, path in solutions("wheats") if of == "04_rmap_add"]
    with Nursery() as nursery:

        def measure():
            begin = time.perf_counter()
            assert Judge(small, read(wheat), nursery).report().points == small.points
            return [time.perf_counter() - begin]

        assert best(measure)[0] <= 0.25
