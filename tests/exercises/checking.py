# SPDX-License-Identifier: GPL-2.0-only
"""What the tests of exercises share: the exercises, and how a submission is judged."""

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from kvmmmu_lab.check.judge import Judge
from kvmmmu_lab.check.sandbox.forkserver import ForkServer
from kvmmmu_lab.check.submission import Submission, read
from kvmmmu_lab.exercises import folders, load

from . import solutions

ROOT = Path(__file__).parents[2]
EXERCISES = {folder.name: load(folder) for folder in folders(ROOT)}
RIGHT = [solution for name in EXERCISES for solution in solutions.right(name).values()]
WRONG = [solution for name in EXERCISES for solution in solutions.wrong(name).values()]


def submission(given):
    """The submission that a solution, a source text or a file is."""
    if isinstance(given, Path):
        return read(given)
    source, name = (given, "submission") if isinstance(given, str) else (given.source, given.name)
    return Submission(source, f"{name}.py")


def judge_rule(solution, rule, server):
    """The verdict on one rule."""
    exercise = EXERCISES[solution.exercise]
    with Judge(exercise, submission(solution), server) as judge:
        return judge.rule(next(one for one in exercise.rules if one.name == rule))


def judge(name, given, server, **options):
    """The report on a solution, a source text or a file, as a submission for the exercise in the folder ``name``."""
    return Judge(EXERCISES[name], submission(given), server, **options).report()


@contextmanager
def without_bubblewrap():
    """In this block, a new process does not find bubblewrap."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as monkeypatch:
        for program in ("rm", "chmod"):
            os.symlink(shutil.which(program), Path(folder) / program)
        monkeypatch.setenv("PATH", folder)
        yield


@contextmanager
def unwalled_server():
    """A fork server that does not find bubblewrap."""
    with without_bubblewrap():
        server = ForkServer()
    with server:
        assert server.no_wall
        yield server
