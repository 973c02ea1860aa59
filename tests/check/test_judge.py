# SPDX-License-Identifier: GPL-2.0-only
"""Two workers share the rules of a check, and the last rule between them."""

import dataclasses
import threading

import pytest

from kvmmmu_lab.check.failure import Failure
from kvmmmu_lab.check.judge import Judge, Trial
from kvmmmu_lab.check.sandbox.client import Worker
from kvmmmu_lab.check.sandbox.forkserver import ForkServer
from kvmmmu_lab.check.submission import Submission
from kvmmmu_lab.exercises import Rule, play

from ..exercises.checking import EXERCISES

SPLIT = EXERCISES["01_split"]
MANY = Rule("many", 1, "All are right.", cases=tuple(play(("call", "split", [gva, "32"])) for gva in range(40)))
SOURCE = """
def split(gva, mode):
    return (WRONG if gva in WRONG_AT else 0, 0, gva)


def quadrant(gva, level):
    return 0
"""


@pytest.fixture(scope="module")
def server():
    with ForkServer() as shared:
        yield shared


def submission(*wrong):
    """A solution that is wrong for these addresses."""
    return Submission(SOURCE.replace("WRONG_AT", repr(wrong)).replace("WRONG", "7"), "mine.py")


def test_the_judge_takes_what_is_left_from_the_first_on_and_its_helper_from_the_last_on():
    trial = Trial(MANY, MANY.cases[:4])
    assert [trial.take()[0], trial.take(last=True)[0], trial.take()[0], trial.take(last=True)[0]] == [0, 3, 1, 2]
    assert trial.take() is trial.take(last=True) is None and trial.finished() and not trial.join()


def test_what_comes_after_a_failure_is_not_tried_and_the_first_failure_counts():
    trial, first, second = Trial(MANY, MANY.cases[:8]), Failure("first"), Failure("second")
    assert trial.join()
    helped, following = trial.take(last=True), trial.take(last=True)
    trial.fails(helped[0], second)
    trial.put_back(following)
    assert [number for number, _ in trial.left] == [0, 1, 2, 3, 4, 5, 6]
    assert trial.take()[0] == 0
    trial.fails(trial.take()[0], first)
    assert not trial.left and trial.failure is first
    trial.leave()
    assert trial.finished()


def test_a_judge_waits_for_its_helper_which_may_put_something_back():
    trial = Trial(MANY, MANY.cases[:1])
    assert trial.join()
    taken = trial.take(last=True)

    def give_up():
        trial.put_back(taken)
        trial.leave()

    threading.Timer(0.05, give_up).start()
    assert not trial.finished() and trial.take() == taken


@pytest.mark.parametrize("wrong", [(), (39,), (0,), (5, 38), (37, 38, 39)])
def test_the_first_failure_is_reported_whoever_finds_it(server, wrong):
    exercise = dataclasses.replace(SPLIT, rules=(MANY,))
    report = Judge(exercise, submission(*wrong), server).report()
    assert report.passed is not bool(wrong)
    if wrong:
        assert f"split({wrong[0] if wrong[0] < 10 else hex(wrong[0])}, '32')" in str(report)


def test_a_helper_that_raises_an_exception_leaves_its_part_to_the_judge(server, monkeypatch):
    exercise, found = dataclasses.replace(SPLIT, rules=(MANY,)), Judge._found

    def broken(self, *arguments):
        if self.trial is None:  # it has no rule of its own
            raise RuntimeError
        return found(self, *arguments)

    monkeypatch.setattr(Judge, "_found", broken)
    assert Judge(exercise, submission(), server).report().passed
    assert not Judge(exercise, submission(39), server).report().passed


@pytest.mark.parametrize(
    ("what", "may_be_busy"), [("x = 1", True), pytest.param("time.sleep(0.1)", False, marks=pytest.mark.slow)]
)
def test_a_thrifty_judge_gives_more_time_only_to_what_may_have_been_late_because_of_other_work(
    what, may_be_busy, server, monkeypatch
):
    exercise, limits, run = EXERCISES["01_split"], [], Worker.run
    monkeypatch.setattr(Worker, "run", lambda self, *given, **more: limits.append(more["seconds"]) or run(self, *given, **more))
    source = f"import time\n\n\ndef split(gva, mode):\n    while mode:\n        {what}\n\n\nquadrant = split\n"
    with Judge(exercise, Submission(source, "mine.py"), server, thrifty=True) as judge:
        verdict = judge.rule(exercise.rules[0])
    assert verdict.status == "timed out" and "It is an endless loop, or very slow" in verdict.failure.sentence
    assert "in split(), line 5 (while mode:)" in verdict.failure.sentence
    busy = "busy" in verdict.failure.error
    assert busy <= may_be_busy and (max(limits) == min(limits)) == busy
