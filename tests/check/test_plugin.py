# SPDX-License-Identifier: GPL-2.0-only
"""Exercises under pytest: in a separate process, as a learner starts it, and in this process, with the other options."""

import subprocess
import sys

import pytest

from ..exercises.checking import RIGHT as RIGHT_SOLUTIONS
from ..exercises.checking import ROOT
from ..share import one_in
from .samples import RIGHT, WRONG

pytest_plugins = ["pytester"]

EXERCISE = ROOT / "exercises" / "04_rmap_add"


def process(exercise, *arguments):
    """Return the exit status and the output of pytest in a separate process."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(exercise), *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def within(pytester):
    """Return the exit status and the output of pytest in this process."""

    def run(*arguments):
        result = pytester.runpytest_inprocess("-p", "no:cacheprovider", EXERCISE, *arguments)
        return result.ret, result.stdout.str() + result.stderr.str()

    return run


@pytest.fixture
def right(tmp_path):
    (tmp_path / "mine.py").write_text(RIGHT)
    return tmp_path / "mine.py"


@pytest.fixture
def wrong(tmp_path):
    (tmp_path / "mine.py").write_text(WRONG)
    return tmp_path / "mine.py"


@pytest.mark.slow
def test_a_right_submission_passes_with_any_seed(right):
    status, said = process(EXERCISE, "--submission", right, "--hypothesis-seed", "7")
    assert status == 0 and "10 of 10 points" in said, said


@pytest.mark.slow
def test_a_wrong_one_fails_with_the_sentence_first(wrong):
    status, said = process(EXERCISE, "--submission", wrong)
    assert status == 1, said
    told = " ".join(said.split())
    assert told.index("has lost spte #7:15") < told.index("Expected:") < told.index("kvmmmu-lab hint")
    assert "Traceback" not in said and "test_rmap_add.py:" not in said.split("exercise ===")[0]


def test_the_stub_is_not_attempted(within):
    status, said = within()
    assert status == 1 and "(not attempted)" in said and "0 of 10" in said, said


def test_some_of_the_rules_can_be_chosen(within, wrong):
    status, said = within("--submission", wrong, "-k", "first or second")
    assert status == 0 and "2 rules tried" in said, said


def test_inline_says_that_it_does_not_count(within, right):
    status, said = within("--submission", right, "--inline")
    assert status == 0 and "the result does not count" in said, said


def test_a_missing_submission_is_reported_in_one_line(within):
    status, said = within("--submission", "nowhere.py", "-k", "first")
    assert status == 1 and "no such file" in said and "Traceback" not in said, said


@pytest.mark.slow
@pytest.mark.parametrize("solution", one_in(12, RIGHT_SOLUTIONS[::3], rest=pytest.mark.whole))
def test_all_traces_that_fit(solution, tmp_path):
    """Check every third correct solution. All solutions of an exercise replay the same traces."""
    status, said = process(ROOT / "exercises" / solution.exercise, "--submission", solution.write(tmp_path), "--full")
    assert status == 0, said
