# SPDX-License-Identifier: GPL-2.0-only
"""What the checkers promise about their speed. Other work only ever makes it slower, so the best of a few rounds counts."""

import subprocess
import sys
import time

import pytest

from kvmmmu_lab.check.judge import Judge
from kvmmmu_lab.check.submission import read

from .checking import EXERCISES, breaks, solutions

pytestmark = pytest.mark.speed

NAMES = [name for name in EXERCISES if name[:2] in ("04", "05", "06", "08", "09")]
ROUNDS = 8


def wheat(name):
    """A right solution; not the one that looks through all tables whenever it is asked, which takes its time by itself."""
    return next(path for of, path in solutions("wheats") if of == name and path.stem != "rescan")


def command(name, path):
    """``kvmmmu-lab check`` as a process, and each line of it with the seconds since it was started."""
    begin = time.monotonic()
    arguments = [sys.executable, "-m", "kvmmmu_lab", "check", name, str(path)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        return [(time.monotonic() - begin, line) for line in process.stdout]


@pytest.mark.parametrize("name", NAMES)
def test_a_right_solution_is_checked_in_2_seconds(name):
    seconds = min(command(name, wheat(name))[-1][0] for _ in range(ROUNDS))
    assert seconds <= 2, seconds


@pytest.mark.parametrize("name", NAMES)
def test_of_a_wrong_one_something_is_told_within_a_second(name):
    wrong = next(path for of, path in solutions("chaffs") if of == name and breaks(path) == EXERCISES[name].rules[0].name)
    rounds = [next(seconds for seconds, line in command(name, wrong) if "(failed)" in line) for _ in range(ROUNDS)]
    assert min(rounds) <= 1, rounds


@pytest.mark.parametrize("name", NAMES)
def test_one_more_submission_is_checked_in_a_quarter_of_a_second(name, nursery):
    given, rounds = read(wheat(name)), []
    for _ in range(1 + ROUNDS):
        begin = time.monotonic()
        report = Judge(EXERCISES[name], given, nursery).report()
        rounds.append(time.monotonic() - begin)
        assert report.passed, str(report)
    assert min(rounds) <= 0.25, rounds
