# SPDX-License-Identifier: GPL-2.0-only
"""Workers: a submission runs in another process, and only data comes back from it."""

import contextlib
import dataclasses
import re
import shutil
import sys
import sysconfig
import time
import venv
from pathlib import Path

import pytest

from kvmmmu_lab.check.judge import Judge
from kvmmmu_lab.check.report import PASSED
from kvmmmu_lab.check.sandbox import forkserver
from kvmmmu_lab.check.sandbox.client import Worker
from kvmmmu_lab.check.sandbox.forkserver import ForkServer
from kvmmmu_lab.check.submission import Submission
from kvmmmu_lab.exercises import play

from ..exercises.checking import EXERCISES
from .samples import RIGHT, before

EXERCISE = EXERCISES["04_rmap_add"]
TWO = play(("map", "7:12", 0x1F, "PW"), ("map", "7:13", 0x1F, "PW"))


@pytest.fixture(scope="module")
def server():
    with ForkServer() as shared:
        yield shared


def worker(server, source=RIGHT):
    return Worker(EXERCISE, Submission(source, "mine.py"), server)


@pytest.mark.parametrize("forked", [True, False])
def test_a_scenario_is_played_step_by_step(server, forked):
    """This also works without fork, as on Windows, where each submission runs in a newly started process."""
    mine = worker(server if forked else None)
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


def test_one_worker_plays_many_scenarios_and_keeps_nothing(server):
    mine = worker(server)
    runs = [mine.run(TWO, ("rmap",)) for _ in range(5)]
    mine.close()
    assert all(run.seen.texts == runs[0].seen.texts for run in runs)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="this system does not say how much a process has mapped")
def test_machines_of_earlier_scenarios_take_no_memory(server):
    """A machine uses 8 MB of a submission's 512 MB of address space. It has reference cycles, so it isn't freed immediately."""
    mine = worker(server)

    def most():
        return int(re.search(r"VmPeak:\s*(\d+)", Path(f"/proc/{mine.pid}/status").read_text())[1]) >> 10

    mine.run(TWO, ("rmap",))
    after_one = most()
    for _ in range(30):
        mine.run(TWO, ("rmap",))
    after_all = most()
    mine.close()
    assert after_all < after_one + 40


@pytest.fixture
def another_copy(tmp_path, monkeypatch):
    """The judge's kit, copied beside files that have the names of other modules, while another copy of the kit is installed."""
    kit = tmp_path / "kit" / "kvmmmu_lab"
    shutil.copytree(forkserver.PACKAGE, kit, ignore=shutil.ignore_patterns("__pycache__", "data"))
    shutil.copytree(forkserver.PACKAGE / "data", kit / "data", ignore=shutil.ignore_patterns("__pycache__", "*.gz", "*.npz"))
    for name in ("json", "numpy", "hypothesis"):
        (kit.parent / f"{name}.py").write_text("raise ImportError('a file beside the kit')")
    venv.create(tmp_path / "python", symlinks=True)
    python = Path(venv.EnvBuilder(symlinks=True).ensure_directories(tmp_path / "python").env_exe)
    installed = Path(sysconfig.get_path("purelib", vars={"base": str(tmp_path / "python")}))
    (installed / "kvmmmu_lab").mkdir()
    (installed / "kvmmmu_lab" / "__init__.py").write_text("raise ImportError('another copy of the kit')")
    (installed / "rest.pth").write_text("\n".join(path for path in sys.path if path))  # for numpy
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setattr(forkserver, "PACKAGE", kit)
    return kit


@pytest.mark.parametrize("forked", [True, False])
def test_a_worker_loads_the_judges_own_copy_of_the_kit(another_copy, forked):
    source = "import json, numpy, kvmmmu_lab, kvmmmu_lab.mmu.vm as vm\nraise ValueError([kvmmmu_lab.__file__, vm.__file__])\n"
    with ForkServer() if forked else contextlib.nullcontext() as server:
        failed = worker(server, source).failed
    assert failed["type"] == "ValueError", failed
    assert failed["what"] == str([str(another_copy / "__init__.py"), str(another_copy / "mmu" / "vm.py")])


def test_a_worker_writes_no_bytecode_beside_the_kit(another_copy):
    mine = worker(None)
    assert mine.failed is None
    mine.close()
    assert not list(another_copy.rglob("__pycache__"))


def test_a_worker_starts_without_what_only_the_judge_needs(server):
    source = "import sys\nraise ValueError([name for name in ('kvmmmu_lab.draw', 'hypothesis') if name in sys.modules])\n"
    assert worker(server, source).failed["what"] == "[]"


def test_a_worker_that_dies_says_how(server):
    mine = worker(server, before("if spte % 512 == 13: import os; os._exit(4)"))
    run = mine.run(TWO, ("rmap",))
    assert run.end == "died" and len(run.seen) == 1 and not mine.alive
    assert run.error["what"] == "your code ended its process (exit status 4)"


def test_an_endless_loop_is_stopped_and_located(server):
    source = before("while spte % 512 == 13: pass")
    mine = worker(server, source)
    begin = time.monotonic()
    run = mine.run(TWO, ("rmap",), seconds=0.3)
    assert time.monotonic() - begin < 2
    assert run.end == "timeout" and len(run.seen) == 1
    assert run.error["function"] == "add"
    assert source.splitlines()[run.error["line"] - 1].strip() == "while spte % 512 == 13: pass"


def test_a_fork_server_that_was_killed_is_started_again(server):
    server.process.kill()
    server.process.wait()
    mine = worker(server)
    assert mine.failed is None
    mine.close()
