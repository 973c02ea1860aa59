# SPDX-License-Identifier: GPL-2.0-only
"""A Dask cluster gives the marks of a single process, once each, whatever happens to its workers, and shows nobody's files."""

import contextlib
import io
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from kvmmmu_lab.check.sandbox.forkserver import CAN_FORK
from kvmmmu_lab.course_settings import CourseSettings
from kvmmmu_lab.grade import cluster
from kvmmmu_lab.grade.cluster import Cluster, ClusterError
from kvmmmu_lab.grade.grading_run import GradingRun
from kvmmmu_lab.grade.kit_copy import copy_here
from kvmmmu_lab.grade.mark import NOT_JUDGED, WALL
from kvmmmu_lab.grade.serial import Serial
from kvmmmu_lab.grade.worker_pool import WorkerPool

from ..exercises.checking import ROOT
from .dask_cluster import DaskCluster
from .handing_in import SPLIT, TASK, hand_in, solved, timeless
from .processes import alive, children, gone
from .test_kills import recorded, submissions

DEADLY = Path(__file__).with_name("dask_preload.py")
HAS_DASK = pytest.mark.skipif(not find_spec("distributed"), reason="the package distributed is not installed")
NEEDS = pytest.mark.skipif(not CAN_FORK or not os.path.isdir("/proc/self/task"), reason="no processes to be found here")
GIVEN = [*solved(wrong=2, right=1), *solved(SPLIT, wrong=6, right=2), hand_in("nobody", b"\xff\xfe no text", "split")]
GIVEN = [replace(given, learner=f"{given.exercise} {given.learner}") for given in GIVEN]
RIGHT = solved(SPLIT, wrong=0, right=1)[0]


def slow(test):
    return pytest.mark.slow(HAS_DASK(NEEDS(test)))


@pytest.fixture
def dask(tmp_path):
    """A function that starts a cluster, which ends with the test."""
    started = []

    def begin(*arguments, **options):
        started.append(DaskCluster(tmp_path / "dask", *arguments, **options))
        return started[-1]

    yield begin
    for each in started:
        each.close()


def as_bytes(marks):
    """Each mark without its seconds as bytes, by learner; there must be one for each."""
    found = [(mark.learner, json.dumps(asdict(timeless(mark))).encode()) for mark in marks]
    assert len(dict(found)) == len(found)
    return dict(found)


@slow
def test_one_process_a_pool_and_a_cluster_give_the_same_marks_to_the_byte(dask):
    begun = dask(count=2)
    with Serial(TASK) as serial:
        expected = as_bytes(serial.marks(GIVEN))
    with WorkerPool(TASK, 2) as workers:
        assert as_bytes(workers.marks(GIVEN)) == expected
    with Cluster(TASK, begun.address) as cluster:
        assert as_bytes(cluster.marks(GIVEN)) == expected
        before = [pid for worker in begun.workers for pid in nurseries(worker)]
        assert as_bytes(cluster.marks(reversed(GIVEN))) == expected
        assert before and alive(before) == before  # processes are kept for the next one
    assert len(expected) == len(GIVEN)


def nurseries(worker):
    """The processes that a Dask worker has started itself."""
    found = []
    for pid in children(worker.pid)[1:]:
        with contextlib.suppress(OSError):  # it may have ended
            found += [pid] * (f"PPid:\t{worker.pid}\n" in Path(f"/proc/{pid}/status").read_text())
    return found


@slow
def test_only_a_few_more_hand_ins_are_taken_than_are_judged_at_a_time(dask):
    taken, most = [], 0
    begun = dask(count=1, threads=2)
    for jobs, room in ((0, 3), (1, 1)):
        taken.clear()
        with Cluster(TASK, begun.address, jobs) as cluster:
            for done, _ in enumerate(cluster.marks(taken.append(given) or given for given in GIVEN)):
                most = max(most, len(taken) - done)
                assert len(taken) - done <= room
            assert len(taken) == len(GIVEN)
    assert most == 3


@slow
@pytest.mark.whole
def test_workers_that_are_killed_at_random_moments_lose_nothing_and_change_nothing(dask, tmp_path):
    given = submissions(tmp_path / "submissions", 60)
    grade(given, tmp_path / "undisturbed", Serial)
    begun, chance, kills, over = dask(count=2), random.Random(3), [], threading.Event()

    def kill():
        while not over.wait(chance.uniform(0.5, 4.0)) and len(kills) < 5:
            victim = chance.choice([worker for worker in begun.workers if worker.poll() is None])
            kills.append(children(victim.pid))
            begun.start_worker(nanny=chance.random() < 0.5)
            begun.kill(victim)

    killer = threading.Thread(target=kill)

    def schedulers(task):
        found = Cluster(task, begun.address)
        killer.start()
        return found

    try:
        summary = grade(given, tmp_path / "disturbed", schedulers)
    finally:
        over.set()
        killer.join()
    assert kills and gone([pid for pids in kills for pid in pids])
    assert summary.judged == 60 and recorded(tmp_path / "disturbed") == recorded(tmp_path / "undisturbed")


def grade(given, out, schedulers):
    return GradingRun(given, out, CourseSettings(), schedulers, names=["split"]).grade()


@slow
def test_after_the_grader_or_the_whole_cluster_was_killed_the_same_command_goes_on(dask, tmp_path):
    given = submissions(tmp_path / "submissions", 40)
    grade(given, tmp_path / "undisturbed", Serial)
    begun, out = dask(count=2), tmp_path / "report"
    with command(given, out, begun.address) as process:
        wait_for_marks(out)
        process.kill()
        process.communicate()
    kept = recorded(out)
    assert 0 < len(kept) < 40
    with command(given, out, begun.address) as process:
        wait_for_marks(out)
        begun.kill(begun.scheduler)
        said = process.communicate(timeout=60)[1].splitlines()
    assert process.returncode == 1 and len(said) == 1, said
    assert said[0].startswith(f"kvmmmu-lab: the cluster at {begun.address} ") and said[0].endswith("goes on from there")
    assert kept.items() <= recorded(out).items() and len(kept) < len(recorded(out)) < 40
    begun.start_scheduler()
    begun.start_worker()
    with command(given, out, begun.address) as process:
        process.communicate(timeout=100)
    assert process.returncode == 0 and recorded(out) == recorded(tmp_path / "undisturbed")


def command(given, out, address):
    arguments = [sys.executable, "-m", "kvmmmu_lab", "grade", str(given), "--out", str(out), "--exercise", "split"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([*arguments, "--scheduler", address], cwd=ROOT, start_new_session=True, **pipes)


def wait_for_marks(out):
    """Wait until the journal of the record, which nobody else can open meanwhile, has a mark."""
    journal, end = out / "record.sqlite-wal", time.monotonic() + 60
    while not (journal.exists() and b"failed" in journal.read_bytes()) and time.monotonic() < end:
        time.sleep(0.05)


@slow
def test_a_scheduler_that_begins_anew_gets_what_it_has_lost_once_more(dask):
    begun = dask(count=1)
    with Cluster(TASK, begun.address) as cluster:
        marks = cluster.marks(GIVEN)
        found = [next(marks)]
        begun.kill(begun.scheduler)
        begun.start_scheduler()
        begun.start_worker()
        found += marks
    with Serial(TASK) as serial:
        assert as_bytes(found) == as_bytes(serial.marks(GIVEN))


@slow
@pytest.mark.parametrize("who", ["judging process", "Dask worker"])
def test_a_hand_in_of_which_processes_die_again_and_again_is_given_up(who, dask, monkeypatch):
    monkeypatch.setenv("DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES", "1")
    begun = dask(count=0)
    begun.start_worker(nanny=True, preload=DEADLY, KVMMMU_LAB_TEST_DEADLY=who)
    with Cluster(TASK, begun.address, 1) as cluster:
        found = {mark.learner: mark for mark in cluster.marks([replace(RIGHT, learner="deadly"), RIGHT])}
    assert found[RIGHT.learner].status == "passed"
    mark = found["deadly"]
    assert (mark.status, mark.points, mark.of) == (NOT_JUDGED, 0, found[RIGHT.learner].of)
    assert mark.problem == {
        "judging process": "the process that judged it ended 2 times before it was done (signal 9 (Killed))",
        "Dask worker": "2 workers of the cluster ended before it was done",
    }[who]


@slow
@pytest.mark.parametrize("how", ["killed", "ended"])
def test_nothing_of_a_worker_outlives_it(how, dask, tmp_path):
    begun = dask(count=1)
    with Cluster(TASK, begun.address) as cluster:
        marks = cluster.marks([RIGHT, hand_in("endless", "while True:\n    pass\n", "split")])
        next(marks)
        pids = children(begun.workers[0].pid)
        [folder] = filter(Path.is_dir, (tmp_path / "dask" / "local").rglob("worker-*"))
        assert len(pids) >= 4 and list(folder.rglob("kvmmmu-lab-grade-*"))
        begun.kill(begun.workers[0], signal.SIGKILL if how == "killed" else signal.SIGTERM)
        assert gone(pids), alive(pids)
        # Dask looks for such a folder once, when a worker starts, which gets the endless one and has a folder of its own for
        # it. It leaves what is locked: by a process that was just being forked, say.
        for _ in range(3 if how == "killed" else 0):
            begun.start_worker()
            end = time.monotonic() + 20
            while folder.exists() and time.monotonic() < end:
                time.sleep(0.1)
            if not folder.exists():
                break
        assert not folder.exists()


@slow
def test_processes_without_work_end_after_some_time(dask, tmp_path):
    begun = dask(count=0)
    worker = begun.start_worker(preload=DEADLY, KVMMMU_LAB_TEST_IDLE="1")
    with Cluster(TASK, begun.address) as cluster:
        assert [mark.status for mark in cluster.marks([RIGHT])] == ["passed"]
        found = children(worker.pid)[1:]
        assert found and gone(found)
        assert [mark.status for mark in cluster.marks([RIGHT])] == ["passed"]
    assert gone(children(worker.pid)[1:])
    end = time.monotonic() + 10  # the worker removes the folder of a process after it
    while list((tmp_path / "dask" / "local").rglob("kvmmmu-lab-*")) and time.monotonic() < end:
        time.sleep(0.1)
    assert not list((tmp_path / "dask" / "local").rglob("kvmmmu-lab-*"))


SPY = """
import os

def look(path):
    try:
        names = os.listdir(path)
    except BaseException:
        names = []
    for name in names:
        look(os.path.join(path, name))
    if not names:
        try:
            with open(path, "rb") as file:
                if b"the neighbour's " + b"secret" in file.read(1 << 20):
                    print("found", path)
        except BaseException:
            pass

def split(gva, mode):
    for folder in FOLDERS:
        look(folder)
    print("looked")

quadrant = split
"""


@slow
@pytest.mark.parametrize("walled", [True, False])
def test_no_submission_sees_those_of_others_on_the_same_machine(walled, dask, tmp_path):
    begun, local = dask(count=0), tmp_path / "dask" / "local"
    for _ in range(2):
        begun.start_worker(threads=2, **({} if walled else {"PATH": ""}))
    begun.wait_for_workers(2)
    spies = [hand_in(f"spy{number}", SPY.replace("FOLDERS", repr([str(local)])), "split") for number in range(8)]
    with Cluster(TASK, begun.address) as cluster:
        assert len(list(cluster.marks([replace(RIGHT, learner=str(number)) for number in range(12)]))) == 12
        staging = list(local.rglob("kvmmmu-lab-grade-*"))
        assert len(staging) >= 2
        for folder in staging:  # the files of a hand-in are there for a moment only
            (folder / "neighbour").mkdir()
            (folder / "neighbour" / "split.py").write_text("# the neighbour's secret\n")
        found = list(cluster.marks(spies))
    assert {line for mark in found for line in mark.printed.splitlines()} == {"looked"} and all(mark.printed for mark in found)
    isolations = {mark.isolation for mark in found}
    assert (isolations == {WALL}) == walled or not shutil.which("bwrap"), isolations
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(SPY.replace("FOLDERS", repr([str(local)])) + "split(0, 0)", "spy", "exec"), {})
    assert said.getvalue().count("found") == len(staging)  # it does find what it may see


# What a cluster needs


@slow
def test_every_worker_must_have_the_same_copy_of_the_kit(dask, tmp_path):
    other, none = tmp_path / "other", tmp_path / "none"
    shutil.copytree(ROOT / "kvmmmu_lab", other / "kvmmmu_lab", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "exercises", other / "exercises", ignore=shutil.ignore_patterns("__pycache__"))
    (other / "notebooks").mkdir()
    with open(other / "kvmmmu_lab" / "mmu" / "walk.py", "a") as file:
        file.write("# changed\n")
    (none / "kvmmmu_lab").mkdir(parents=True)
    (none / "kvmmmu_lab" / "__init__.py").touch()
    begun = dask(count=1)
    for options, said in (
        ({"KVMMMU_LAB_MEMORY": "700"}, "has KVMMMU_LAB_MEMORY=700; here is KVMMMU_LAB_MEMORY=512"),
        ({"cwd": other}, "has other files of the kit, though of the same version"),
        ({"cwd": none}, "can't load this version of the kit (ModuleNotFoundError("),
    ):
        worker = begun.start_worker(**options)
        begun.wait_for_workers(2)
        with pytest.raises(ClusterError, match=f"{re.escape(said)}.*: every worker needs this version of the kit"):
            Cluster(TASK, begun.address)
        begun.kill(worker)
        begun.wait_for_workers(1)
    with Cluster(TASK, begun.address) as cluster:
        assert [mark.status for mark in cluster.marks([RIGHT])] == ["passed"]
        marks = cluster.marks([RIGHT] * 1000)
        next(marks)
        begun.start_worker(cwd=other)  # and so must one that comes later
        with pytest.raises(ClusterError, match="has other files of the kit"):
            list(marks)


@slow
def test_a_cluster_without_workers_is_one_sentence(dask, monkeypatch):
    begun = dask(count=0)
    monkeypatch.setattr(cluster, "PATIENCE", 1.0)
    with pytest.raises(ClusterError, match=rf"has had no worker for 1 seconds: start some with: dask worker {begun.address}"):
        Cluster(TASK, begun.address)


@pytest.mark.slow
@HAS_DASK
@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("tcp://127.0.0.1:1", "Timed out"),
        ("127.0.0.1", "missing port number"),
        ("nowhere", "missing port number"),
        ("fly://127.0.0.1:1", "unknown address scheme 'fly'"),
    ],
)
def test_a_scheduler_that_does_not_answer_is_one_sentence(address, said, monkeypatch):
    monkeypatch.setattr(cluster, "ANSWER", 0.5)
    with pytest.raises(ClusterError, match=f"no Dask scheduler answers at {address} .*{said}.*: start one with: dask sched"):
        Cluster(TASK, address)


def test_without_dask_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ClusterError, match=r"a cluster needs (dask|distributed), which is missing: .*\[cluster\]"):
        Cluster(TASK, "127.0.0.1:8786")


def test_copies_of_the_kit_are_compared_in_words():
    here = copy_here()
    assert here.difference(copy_here()) == ""
    older = replace(here, versions="kvmmmu-lab 0.0.9, Python 3.10.1", files="other")
    assert here.difference(older) == f"has kvmmmu-lab 0.0.9, Python 3.10.1; here are {here.versions}"
    assert "exercises" in here.difference(replace(here, rules={}))
    less = {name: value for name, value in here.limits.items() if "OPEN" not in name}
    assert here.difference(replace(here, limits=less)) == "has KVMMMU_LAB_OPEN=0; here is KVMMMU_LAB_OPEN=64"
