# SPDX-License-Identifier: GPL-2.0-only
"""All schedulers give the same marks, whatever happens to their processes; and nothing of a pool outlives it."""

import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace

import pytest

from kvmmmu_lab.check.sandbox.forkserver import CAN_FORK, WorkerError
from kvmmmu_lab.grade import nursery, worker_pool
from kvmmmu_lab.grade.mark import NOT_JUDGED
from kvmmmu_lab.grade.serial import Serial
from kvmmmu_lab.grade.worker_pool import WorkerPool

from ..exercises.checking import ROOT
from ..share import one_in
from .handing_in import SPLIT, TASK, by_learner, hand_in, solved
from .processes import alive, children, gone

pytestmark = pytest.mark.skipif(not CAN_FORK, reason="no workers can be forked here")
GIVEN = [*solved(wrong=1, right=0), *solved(SPLIT, wrong=3, right=1)]
GIVEN = [replace(given, learner=f"{given.exercise} {given.learner}") for given in GIVEN]
ENDLESS = hand_in("endless", "import time\ntime.sleep(100)\n")


@pytest.fixture(scope="module")
def undisturbed():
    with Serial(TASK) as serial:
        return by_learner(serial.marks(GIVEN))


@pytest.mark.slow
@pytest.mark.parametrize("jobs", one_in(2, [3, 1]))
def test_a_pool_gives_the_marks_of_a_single_process(jobs, undisturbed):
    with WorkerPool(TASK, jobs) as workers:
        assert by_learner(workers.marks(GIVEN)) == undisturbed
        assert len(workers.workers) == jobs
        assert by_learner(workers.marks(reversed(GIVEN))) == undisturbed  # a pool can be used again


@pytest.mark.slow
def test_so_do_workers_that_are_not_forked(undisturbed, monkeypatch):
    monkeypatch.setattr(worker_pool, "CAN_FORK", False)
    with WorkerPool(TASK, 2) as workers:
        assert workers.nursery is None
        assert by_learner(workers.marks(GIVEN[:2])) == dict(list(undisturbed.items())[:2])


@pytest.mark.slow
def test_only_as_many_hand_ins_are_taken_as_are_judged_at_a_time():
    taken = []
    with WorkerPool(TASK, 2) as workers:
        marks = workers.marks(taken.append(given) or given for given in GIVEN)
        next(marks)
        assert len(taken) <= 3
        marks.close()


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGSEGV])
def test_the_hand_in_of_a_worker_that_dies_is_judged_once_more(signum, undisturbed):
    with WorkerPool(TASK, 2) as workers:
        marks = workers.marks(GIVEN)
        found = [next(marks)]
        os.kill(workers.workers[0].pid, signum)
        found += marks
    assert by_learner(found) == undisturbed


@pytest.mark.slow
def test_so_is_that_of_workers_whose_nursery_dies(undisturbed):
    with WorkerPool(TASK, 2) as workers:
        marks = workers.marks(GIVEN)
        found = [next(marks)]
        workers.nursery.process.kill()
        found += marks
    assert by_learner(found) == undisturbed


@pytest.mark.slow
def test_so_are_those_of_a_worker_without_its_process_for_submissions(undisturbed):
    with WorkerPool(TASK, 1) as workers:
        marks = workers.marks(GIVEN)
        found = [next(marks)]
        server = children(workers.workers[0].pid)[1]
        os.kill(server, signal.SIGKILL)
        found += marks
    assert by_learner(found) == undisturbed


@pytest.mark.slow
def test_a_hand_in_of_which_workers_die_again_and_again_is_given_up(monkeypatch):
    class Deadly(worker_pool._PoolWorker):
        def give(self, job):
            super().give(job)
            if job.hand_in.learner == "deadly":
                while not self.ready:
                    self.receive()
                os.kill(self.pid, signal.SIGKILL)

    monkeypatch.setattr(worker_pool, "_PoolWorker", Deadly)
    right = solved(SPLIT, wrong=0, right=1)[0]
    with WorkerPool(TASK, 1) as workers:
        found = by_learner(workers.marks([replace(right, learner="deadly"), right]))
    assert found[right.learner].status == "passed"
    mark = found["deadly"]
    assert (mark.status, mark.points, mark.of) == (NOT_JUDGED, 0, found[right.learner].of)
    assert mark.problem == "the process that judged it ended 2 times before it was done (signal 9 (Killed))"


@pytest.mark.slow
def test_a_silent_worker_is_replaced(monkeypatch):
    right = solved(SPLIT, wrong=0, right=1)[0]
    with WorkerPool(TASK, 1) as workers:
        assert [mark.status for mark in workers.marks([right])] == ["passed"]
        first = workers.workers[0].pid
        os.kill(first, signal.SIGSTOP)
        workers.longest, end = 1.0, worker_pool._PoolWorker.end

        def end_patiently(worker):
            workers.longest = 60.0
            return end(worker)

        monkeypatch.setattr(worker_pool._PoolWorker, "end", end_patiently)
        marks = workers.marks([replace(right, learner="bob")])
        assert [(mark.learner, mark.status) for mark in marks] == [("bob", "passed")]
        assert workers.workers[0].pid != first


@pytest.mark.slow
def test_workers_that_can_not_begin_are_an_error_and_no_mark(monkeypatch):
    monkeypatch.setattr(nursery, "PROGRAM", nursery.PROGRAM.replace("main(int", "sys.exit(3) and main(int"))
    monkeypatch.setattr(nursery, "REPLY", 5.0)
    with pytest.raises(WorkerError, match="run kvmmmu-lab doctor"), WorkerPool(TASK, 1) as workers:
        list(workers.marks(GIVEN))
    monkeypatch.undo()
    unfit = "kit.grade.nursery.work = lambda connection: 1 / 0\nmain(int"
    monkeypatch.setattr(nursery, "PROGRAM", nursery.PROGRAM.replace("main(int", unfit))
    with pytest.raises(WorkerError, match=r"4 workers in a row .* \(exit status 70\)"), WorkerPool(TASK, 1) as workers:
        list(workers.marks(GIVEN))


@pytest.mark.slow
@pytest.mark.parametrize("how", ["closed", "killed", "interrupted"])
def test_nothing_of_a_pool_outlives_it(how):
    program = f"""
        import signal, sys, time
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what runs in the background without it
        sys.path.insert(0, {str(ROOT)!r})
        from kvmmmu_lab.course_settings import CourseSettings
        from kvmmmu_lab.grade.hand_in import HandIn
        from kvmmmu_lab.grade.worker_pool import WorkerPool
        from kvmmmu_lab.grade.scheduler import Task
        endless = HandIn("ada", "rmap_add", {{"rmap_add.py": b"while True:\\n    pass\\n"}}, "rmap_add.py")
        with WorkerPool(Task(CourseSettings()), 2) as workers:
            marks = workers.marks([endless] * 50)
            next(marks)
            print(workers.task.staging, flush=True)
            if {how == "closed"}:
                input()
            else:
                list(marks)
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        staging = process.stdout.readline().strip()
        pids = children(process.pid)
        assert len(alive(pids)) >= 6 and os.path.isdir(staging)
        if how == "closed":
            process.stdin.close()
        else:
            process.send_signal(signal.SIGKILL if how == "killed" else signal.SIGINT)
        assert gone(pids), alive(pids)
    assert os.path.isdir(staging) == (how == "killed")
    if how == "killed":
        for folder in os.listdir(staging):
            for name in os.listdir(f"{staging}/{folder}"):
                os.unlink(f"{staging}/{folder}/{name}")
            os.rmdir(f"{staging}/{folder}")
        os.rmdir(staging)
