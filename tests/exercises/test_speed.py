# SPDX-License-Identifier: GPL-2.0-only
"""The speed that the checkers promise."""

import itertools
import shutil
import subprocess
import sys
import time

import pytest

from ..pace import best
from . import solutions
from .checking import EXERCISES, judge, without_bubblewrap

pytestmark = pytest.mark.speed

NAMES = [name for name in EXERCISES if name[:2] in ("04", "05", "06", "08", "09")]
def right(name):
    """A right solution; not the one that looks through all tables whenever it is asked, which is slow by itself."""
    return next(solution for solution in solutions.right(name).values() if solution.name != "rescan")


def command(name, path):
    """Run ``kvmmmu-lab check`` as a process; each line that it prints, with the seconds since its start."""
    begin = time.monotonic()
    arguments = [sys.executable, "-m", "kvmmmu_lab", "check", name, str(path)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        return [(time.monotonic() - begin, line) for line in process.stdout]


@pytest.mark.parametrize("name", EXERCISES)
def test_a_right_solution_is_checked_in_a_second_and_the_first_verdict_comes_in_half_of_it(name, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # the first round fills it
    path = right(name).write(tmp_path)

    def measure():
        lines = command(name, path)
        return next(seconds for seconds, line in lines if line.startswith("  \N{CHECK MARK}")), lines[-1][0]

    first, done = best(measure, 0.5, 1)
    assert first <= 0.5 and done <= 1


@pytest.mark.parametrize("name", EXERCISES)
def test_watch_tells_the_verdict_a_third_of_a_second_after_the_file_is_saved(name, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = tmp_path / "exercises" / name / EXERCISES[name].file.name
    path.parent.mkdir(parents=True)
    path.write_text(right(name).source, "utf-8")
    arguments = [sys.executable, "-m", "kvmmmu_lab", "watch", name, "--folder", str(tmp_path)]
    numbers = itertools.count()

    def measure():
        until(process.stdout, "[h] hint")
        begin = time.monotonic()
        path.write_text(f"{right(name).source}\n# {next(numbers)}\n", "utf-8")
        until(process.stdout, "(passed)")
        return [time.monotonic() - begin]

    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        [told] = best(measure, 0.3)
        process.stdin.close()
    assert told <= 0.3


def until(lines, words):
    """Read lines until one contains these words."""
    assert any(words in line for line in lines)


@pytest.mark.parametrize("name", NAMES)
def test_something_is_said_about_a_wrong_solution_within_a_second(name, tmp_path):
    first = EXERCISES[name].rules[0].name
    path = next(solution for solution in solutions.wrong(name).values() if solution.breaks == first).write(tmp_path)
    [said] = best(lambda: [next(seconds for seconds, line in command(name, path) if "(failed)" in line)], 1)
    assert said <= 1


@pytest.mark.parametrize("name", EXERCISES)
def test_one_more_submission_is_checked_in_a_quarter_of_a_second(name, server):
    [checked] = best(lambda: [judged(name, server)], 0.25)
    assert checked <= 0.25


def judged(name, server):
    """Judge a right solution; return the seconds that it took."""
    begin = time.monotonic()
    report = judge(name, right(name), server)
    assert report.passed, str(report)
    return time.monotonic() - begin


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap isn't installed")
@pytest.mark.parametrize("name", ["04_rmap_add", "08_pre_write"])
def test_the_wall_costs_little(name, tmp_path, monkeypatch, server, unwalled):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = right(name).write(tmp_path)

    def measure():  # with and without the wall in turn, so that both have the same share of other work
        one_more = [judged(name, shared) for shared in (unwalled, server)]
        with without_bubblewrap():
            whole = command(name, path)[-1][0]
        return *one_more, whole, command(name, path)[-1][0]

    open_one, walled_one, open_whole, walled_whole = best(measure)
    assert walled_whole - open_whole <= 0.15 and walled_one - open_one <= 0.02
