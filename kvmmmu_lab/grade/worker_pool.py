# SPDX-License-Identifier: GPL-2.0-only
"""The pool of workers: workers on this machine, one hand-in each at a time. A worker that dies or is silent is replaced."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import socket
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from typing import Any

from ..check.deadline import Deadline
from ..check.sandbox import scratch
from ..check.sandbox.forkserver import CAN_FORK, WorkerError
from .grader import FOLDER, exercise_of, unjudged
from .hand_in import HandIn
from .mark import NOT_JUDGED, Mark
from .nursery import Nursery
from .scheduler import Task
from .worker import READY, work

MARGIN = 30.0
"""Seconds that a worker may be silent after the time for a check. A new one has to load the judge first."""

ATTEMPTS = 2
"""How many workers may die of a hand-in, or fall silent, before it is given up."""

STILLBORN = 4
"""How many workers in a row may die before they are ready."""


def jobs_here() -> int:
    """The number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class WorkerPool:
    """Up to ``jobs`` workers (default: one for each processor), which are started when there is work for them."""

    def __init__(self, task: Task, jobs: int = 0) -> None:
        self.jobs = jobs or jobs_here()
        self.own_staging = not task.staging
        self.task = replace(task, staging=task.staging or tempfile.mkdtemp(prefix=FOLDER))
        self.longest = Deadline(seconds=task.settings.timeout or None).seconds + MARGIN
        self.nursery = Nursery() if CAN_FORK else None
        self.workers: list[_PoolWorker] = []

    def marks(self, hand_ins: Iterable[HandIn]) -> Iterator[Mark]:
        """Yield the marks in the order in which they are ready. Raises WorkerError if no worker can be started."""
        source, again, stillborn = iter(hand_ins), deque[_Job](), 0
        while True:
            while sum(worker.job is not None for worker in self.workers) < self.jobs:
                job = again.popleft() if again else next(map(_Job, source), None)
                if job is None:
                    break
                self._idle().give(job)
            busy = [worker for worker in self.workers if worker.job is not None]
            if not busy:
                return
            for worker in self._ready(busy):
                message = worker.receive()
                if message == READY:
                    stillborn = 0
                elif isinstance(message, Mark):
                    worker.job = None
                    yield message
                else:
                    job, ended = worker.job, self._remove(worker)
                    assert job is not None
                    stillborn += not worker.ready
                    job.attempts += worker.ready
                    if stillborn == STILLBORN:
                        raise WorkerError(f"{STILLBORN} workers in a row could not begin ({ended}): run kvmmmu-lab doctor")
                    if job.attempts < ATTEMPTS:
                        again.append(job)
                    else:
                        yield self._given_up(job.hand_in, ended)

    def _idle(self) -> _PoolWorker:
        """A worker without a job."""
        for worker in self.workers:
            if worker.job is None:
                return worker
        self.workers.append(_PoolWorker(self.nursery, self.task))
        return self.workers[-1]

    def _ready(self, busy: list[_PoolWorker]) -> list[_PoolWorker]:
        """Wait for workers that have said something, have died, or are silent for too long."""
        end = min(worker.since for worker in busy) + self.longest
        said = wait([worker.connection for worker in busy], max(0.0, end - time.monotonic()))
        late = time.monotonic() - self.longest
        return [worker for worker in busy if worker.connection in said or worker.since <= late]

    def _remove(self, worker: _PoolWorker) -> str:
        """End a worker; return how it ended, in words."""
        self.workers.remove(worker)
        late = time.monotonic() - worker.since >= self.longest
        return f"it was silent for {self.longest:g} seconds" if worker.end() and late else worker.ended

    def _given_up(self, hand_in: HandIn, ended: str) -> Mark:
        """The mark for a hand-in of which workers die."""
        exercise = exercise_of(hand_in.exercise, self.task.settings)
        problem = f"the process that judged it ended {ATTEMPTS} times before it was done ({ended})"
        return unjudged(hand_in, exercise, self.task.settings, NOT_JUDGED, problem)

    def close(self) -> None:
        """End all workers, and delete the files of hand-ins."""
        for worker in self.workers:
            worker.close()
        if self.nursery is not None:
            self.nursery.close()  # which waits for them
        self.workers = []
        if self.own_staging:
            scratch.discard(self.task.staging)

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass
class _Job:
    """A hand-in, and how many workers have died of it."""

    hand_in: HandIn
    attempts: int = 0


class _PoolWorker:
    """A worker, as the pool sees it. It has been silent ``since`` this time; ``ready``: whether it has loaded the judge."""

    def __init__(self, nursery: Nursery | None, task: Task) -> None:
        self.job: _Job | None = None
        self.nursery, self.ready, self.ended, self.since = nursery, False, "", time.monotonic()
        if nursery is None:
            context = multiprocessing.get_context("spawn")
            self.connection, theirs = context.Pipe()
            self.process = context.Process(target=work, args=(theirs,), daemon=True)
            self.process.start()
            theirs.close()
        else:
            ours, link = socket.socketpair()
            with ours, link:
                self.pid = nursery.fork(link)
                self.connection = Connection(ours.detach())
        self._send(task)

    def give(self, job: _Job) -> None:
        """Let it judge a hand-in."""
        self.job, self.since = job, time.monotonic()
        self._send(job.hand_in)

    def _send(self, message: Task | HandIn) -> None:
        with contextlib.suppress(OSError):  # it has died, which `receive` tells
            self.connection.send(message)

    def receive(self) -> Any:
        """What it says: `READY` or a mark; None if it has died or says nothing."""
        with contextlib.suppress(EOFError, OSError):
            if self.connection.poll():
                message = self.connection.recv()
                self.since, self.ready = time.monotonic(), True
                return message
        return None

    def end(self) -> str:
        """Kill it; return how it ended, in words."""
        self.connection.close()
        if self.nursery is not None:
            self.ended = self.nursery.end(self.pid)
        else:
            self.process.kill()
            self.process.join()
            self.ended = f"exit status {self.process.exitcode}"
        return self.ended

    def close(self) -> None:
        """End it. If it is not judging, it ends by itself."""
        if self.job is not None or self.nursery is None:
            self.end()
        else:
            self.connection.close()
