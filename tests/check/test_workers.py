# SPDX-License-Identifier: GPL-2.0-only
"""Workers: a submission runs elsewhere, and what comes from there is only data."""

import dataclasses
import re
import time
from pathlib import Path

import pytest

from kvmmmu_lab.check.judge import Judge
from kvmmmu_lab.check.report import PASSED
from kvmmmu_lab.check.sandbox.client import Worker
from kvmmmu_lab.check.sandbox.forkserver import Nursery
from kvmmmu_lab.check.sandbox.protocol import printable
from kvmmmu_lab.check.submission import Submission
from kvmmmu_lab.exercises import play

from ..exercises.checking import EXERCISES
from .samples import RIGHT, before

EXERCISE = EXERCISES["04_rmap_add"]
TWO = play(("map", "7:12", 0x1F, "PW"), ("map", "7:13", 0x1F, "PW"))


@pytest.fixture(scope="module")
def nursery():
    with Nursery() as shared:
        yield shared


def worker(nursery, source=RIGHT):
    return Worker(EXERCISE, Submission(source, "mine.py"), nursery)


@pytest.mark.parametrize("forked", [True, False])
def test_a_scenario_is_played_step_by_step(nursery, forked):
    """Also where nothing can be forked, as on Windows: then each submission has a process that starts from nothing."""
    mine = worker(nursery if forked else None)
    run = mine.run(TWO, ("rmap", "frames"))
    mine.close()
    assert run.end == "done"
    assert [seen["rmap"] for seen in run.seen] == [[[0x1F, [7 << 9 | 12]]], [[0x1F, [7 << 9 | 12, 7 << 9 | 13]]]]


def test_without_fork_the_verdicts_are_the_same(monkeypatch):
    monkeypatch.setattr("kvmmmu_lab.check.judge.CAN_FORK", False)
    small = dataclasses.replace(EXERCISE, rules=EXERCISE.rules[:3])
    assert {verdict.status for verdict in Judge(small, Submission(RIGHT, "mine.py")).report().verdicts} == {PASSED}
    report = Judge(small, Submission("import os; os._exit(3)\n", "mine.py")).report()
    assert report.points == 0 and "exit status 3" in str(report)


def test_one_worker_plays_many_scenarios_and_keeps_nothing(nursery):
    mine = worker(nursery)
    runs = [mine.run(TWO, ("rmap",)) for _ in range(5)]
    mine.close()
    assert all(run.seen.texts == runs[0].seen.texts for run in runs)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="nobody says here how much a process has mapped")
def test_machines_of_earlier_scenarios_take_no_memory(nursery):
    """Each has 8 MB of address space, and a submission may have 512; a machine is full of cycles."""
    mine = worker(nursery)

    def most():
        return int(re.search(r"VmPeak:\s*(\d+)", Path(f"/proc/{mine.pid}/status").read_text())[1]) >> 10

    mine.run(TWO, ("rmap",))
    after_one = most()
    for _ in range(30):
        mine.run(TWO, ("rmap",))
    after_all = most()
    mine.close()
    assert after_all < after_one + 40


def test_a_worker_that_dies_says_in_which_step(nursery):
    mine = worker(nursery, before("if spte % 512 == 13: import os; os._exit(4)"))
    run = mine.run(TWO, ("rmap",))
    assert run.end == "died" and len(run.seen) == 1 and not mine.alive
    assert "step 2" in run.error["what"] and "exit status 4" in run.error["what"]


def test_an_endless_loop_is_ended_and_located(nursery):
    source = before("while spte % 512 == 13: pass")
    mine = worker(nursery, source)
    begin = time.monotonic()
    run = mine.run(TWO, ("rmap",), seconds=0.3)
    assert time.monotonic() - begin < 2
    assert run.end == "timeout" and len(run.seen) == 1
    assert run.error["function"] == "add"
    assert source.splitlines()[run.error["line"] - 1].strip() == "while spte % 512 == 13: pass"


def test_a_nursery_that_was_killed_is_started_again(nursery):
    nursery.process.kill()
    nursery.process.wait()
    mine = worker(nursery)
    assert mine.failed is None
    mine.close()


def test_what_is_told_has_nothing_that_a_terminal_obeys():
    assert printable("a\x1b[2Jb\nc\r\x00") == "a?[2Jb\nc??"
