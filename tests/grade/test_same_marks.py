# SPDX-License-Identifier: GPL-2.0-only
"""The same seed gives the same marks, byte for byte, also for submissions whose behaviour differs from process to process."""

import json
from dataclasses import asdict

import pytest

from kvmmmu_lab.check.sandbox.forkserver import CAN_FORK
from kvmmmu_lab.check.submission import Submission
from kvmmmu_lab.course_settings import CourseSettings
from kvmmmu_lab.grade.scheduler import Task
from kvmmmu_lab.grade.serial import Serial
from kvmmmu_lab.grade.worker_pool import WorkerPool

from .handing_in import by_learner, hand_in, solved

pytestmark = pytest.mark.skipif(not CAN_FORK, reason="no workers can be forked here")

PART = """
class ReverseMap:
    def __init__(self, vm):
        self.n = 0
    def add(self, spte):
        {add}
    def sptes(self, hfn):
        {sptes}
    def frames(self):
        return []
"""


def part(add="pass", sptes="return []"):
    return PART.format(add=add, sptes=sptes)


UNSTEADY = {
    "shows an address": part(sptes="return [object()]"),
    "prints addresses": part("print(object(), self.add)"),
    "raises an address": part("raise ValueError(object())"),
    "asks a set": part("raise ValueError(list({'a', 'b', 'c', 'd', 'e', 'f'}))"),
    "loops over lines": part("while True:\n            self.n += 1\n            for x in [1, 2]:\n                self.n -= x"),
    "prints much": part("print('x' * 1_500_000)"),
}


@pytest.fixture(scope="module")
def marks():
    given = [hand_in(name, source) for name, source in UNSTEADY.items()]
    given += solved(wrong=2, right=0)
    task = Task(CourseSettings(seed=5))
    with Serial(task) as serial:
        first = by_learner(serial.marks(given))
    with WorkerPool(task, 2) as workers:
        second = by_learner(workers.marks(reversed(given)))
    return first, second


@pytest.mark.slow
def test_marks_are_the_same_byte_for_byte(marks):
    first, second = marks
    for learner, mark in first.items():
        assert json.dumps(asdict(mark)) == json.dumps(asdict(second[learner])), learner


@pytest.mark.slow
def test_they_say_what_can_be_said(marks):
    first, _ = marks
    assert "[<object object at 0x...>]" in first["shows an address"].rules[0].message
    assert "<object object at 0x...> <bound method" in first["prints addresses"].printed
    assert "ValueError" in first["raises an address"].rules[0].message
    assert "in add(), line 6 (while True:)" in first["loops over lines"].rules[0].message
    assert "allows four times as much. It is an endless loop, or very slow" in first["loops over lines"].rules[0].message
    assert first["prints much"].print_count == 1_000_000


@pytest.mark.parametrize(
    ("line", "loop"), [(1, 1), (4, 3), (5, 3), (6, 3), (10, 10), (11, 8), (13, 13), (0, 0), (99, 99), (None, 0), (True, 1)]
)
def test_the_outermost_loop_around_a_line(line, loop):
    lines = [
        "import os",
        "def f():",
        "    while True:",
        "        x = 1",
        "        for y in range(9):",
        "            x += y",
        "    return x",
        "for a in range(3):",
        "    def g():",
        "        pass",
        "    g()",
        "def h(): pass",
        "h()",
    ]
    assert Submission("\n".join(lines), "a.py").loop("a.py", line) == loop
    assert Submission("def (", "a.py").loop("a.py", 1) == 1
