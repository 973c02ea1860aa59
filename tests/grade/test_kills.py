# SPDX-License-Identifier: GPL-2.0-only
"""Whatever is killed at whatever moment, in the end there is one mark for each hand-in: that of an undisturbed run."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from kvmmmu_lab.check.sandbox.forkserver import CAN_FORK
from kvmmmu_lab.errors import DataError
from kvmmmu_lab.grade.record import Record

from ..exercises.checking import ROOT
from .handing_in import SPLIT, by_learner, solved
from .processes import alive, children, gone

pytestmark = pytest.mark.skipif(not CAN_FORK or not os.path.isdir("/proc/self/task"), reason="no processes to be found here")

ODD = [
    b"import os\nos._exit(0)\n",
    b"import os\n\n\ndef split(gva, mode):\n    os.kill(os.getpid(), 9)\n\n\nquadrant = split\n",
    b"print('a' * 100)\nraise SystemExit(3)\n",
    b"\xff\xfe no text",
    b"def split(gva, mode):\n    raise ValueError(gva)\n\n\ndef quadrant(gva, level):\n    return 0\n",
]
"""Hand-ins that end their process or can't be read."""


def submissions(folder, count):
    """Hand-ins of so many learners, all different: right, wrong, and a few odd ones."""
    sources = [given.files["split.py"] for given in solved(SPLIT, wrong=20, right=3)]
    for number in range(count):
        source = ODD[number // 8 % len(ODD)] if number % 8 == 3 else sources[number % len(sources)]
        (folder / f"learner{number:03}").mkdir(parents=True)
        (folder / f"learner{number:03}" / "split.py").write_bytes(source + b"\n# %d\n" % number)
    return folder


def start(folder, out, *options):
    """The command in a process group of its own."""
    arguments = [sys.executable, "-m", "kvmmmu_lab", "grade", str(folder), "--out", str(out), "--exercise", "split", *options]
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(arguments, cwd=ROOT, start_new_session=True, **silent)


def recorded(out):
    with Record(out / "record.sqlite") as record:
        return by_learner(record.marks())


def staging(out):
    """The folder for the files of hand-ins while they are judged; that of a run that was killed stays until the next one."""
    try:
        with Record(out / "record.sqlite") as record:
            return record.staging
    except DataError as error:  # it was killed before it began the record
        assert error.got in ("a record that was never begun", "No such file or directory"), error
        return ""


def disturb(process, chance):
    """Kill the grader, its process group, or any process that descends from it. Return which, and what has to end with it."""
    found = children(process.pid)
    what = chance.choice(["grader", "group", "worker", "worker"])
    if what == "worker" and len(found) > 1:
        victim = chance.choice(found[1:])
        try:
            os.kill(victim, signal.SIGKILL)
        except ProcessLookupError:
            return "nothing", []
        return what, []
    (os.killpg if what == "group" else os.kill)(process.pid, signal.SIGKILL)
    return "grader", found


def grade_disturbed(folder, out, kills, chance):
    """Run the command until it is done, with so many kills; return how many of each kind there were."""
    done, left = {"grader": 0, "worker": 0}, set()
    regrade = ()
    while True:
        with start(folder, out, *regrade) as process:
            while process.poll() is None and sum(done.values()) < kills:
                time.sleep(chance.uniform(0.0, 3.0))
                if process.poll() is not None:
                    break
                what, descendants = disturb(process, chance)
                done[what] = done.get(what, 0) + (what != "nothing")
                if what == "grader":
                    process.wait()
                    assert gone(descendants), alive(descendants)
                    left.add(staging(out))
            status = process.wait()
        if status == 0 and sum(done.values()) >= kills:
            assert not any(map(os.path.exists, left | {staging(out)}))
            return done
        assert status in (0, -signal.SIGKILL), status
        regrade = ("--regrade",) if status == 0 else ()  # it was done before all kills; and so is a kill in a second run


def check_kills(folder, count, kills, seed):
    given = submissions(folder / "submissions", count)
    with start(given, folder / "undisturbed") as process:
        assert process.wait() == 0
    undisturbed = recorded(folder / "undisturbed")
    assert len(undisturbed) == count
    done = grade_disturbed(given, folder / "disturbed", kills, random.Random(seed))
    differences = [
        (learner, name, value, vars(undisturbed[learner])[name])
        for learner, mark in recorded(folder / "disturbed").items()
        for name, value in vars(mark).items()
        if value != vars(undisturbed[learner])[name]
    ]
    assert not differences and len(recorded(folder / "disturbed")) == count, differences
    assert done["grader"] and done["worker"], done


@pytest.mark.slow
def test_a_few_kills_lose_nothing_and_change_nothing(tmp_path):
    check_kills(tmp_path, 24, 8, 1)


@pytest.mark.slow
@pytest.mark.whole
def test_fifty_kills_in_a_run_of_two_hundred_lose_nothing_and_change_nothing(tmp_path):
    check_kills(tmp_path, 200, 50, 2)
