# SPDX-License-Identifier: GPL-2.0-only
"""pytest checks exercises."""

import subprocess
import sys

import pytest

from ..exercises.checking import ROOT, solutions
from .samples import RIGHT, WRONG

EXERCISE = ROOT / "exercises" / "04_rmap_add"


@pytest.fixture
def right(tmp_path):
    (tmp_path / "mine.py").write_text(RIGHT)
    return tmp_path / "mine.py"


@pytest.fixture
def wrong(tmp_path):
    (tmp_path / "mine.py").write_text(WRONG)
    return tmp_path / "mine.py"


def pytest_on(*arguments):
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(EXERCISE), *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


def test_a_right_submission_passes(right):
    status, said = pytest_on("--submission", right)
    assert status == 0 and "10 of 10 points" in said, said


def test_a_wrong_one_fails_with_the_sentence_first(wrong):
    status, said = pytest_on("--submission", wrong)
    assert status == 1, said
    told = " ".join(said.split())
    assert told.index("no longer found from spte #7:15") < told.index("What it should be") < told.index("kvmmmu-lab hint")
    assert "Traceback" not in said and "test_rmap_add.py:" not in said.split("exercise ===")[0]


def test_the_stub_is_not_attempted():
    status, said = pytest_on()
    assert status == 1 and "(not attempted)" in said and "0 of 10" in said, said


def test_a_part_of_the_rules_can_be_chosen(wrong):
    status, said = pytest_on("--submission", wrong, "-k", "first or second")
    assert status == 0 and "2 rules were tried" in said, said


def test_another_seed(right):
    status, said = pytest_on("--submission", right, "--hypothesis-seed", "7", "-k", "random")
    assert status == 0, said


def test_inline_says_that_it_does_not_count(right):
    status, said = pytest_on("--submission", right, "--inline")
    assert status == 0 and "it does not count" in said, said


def test_a_submission_that_is_not_there_is_told_in_a_line():
    status, said = pytest_on("--submission", "nowhere.py", "-k", "first")
    assert status == 1 and "can be read" in said and "Traceback" not in said, said


@pytest.mark.slow
@pytest.mark.parametrize(("name", "path"), solutions("wheats")[::3], ids=lambda value: getattr(value, "stem", value))
def test_all_recordings_that_fit(name, path):
    """One wheat of three; what they replay is the same for all of an exercise."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(ROOT / "exercises" / name)]
    done = subprocess.run([*command, "--submission", str(path), "--full"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
