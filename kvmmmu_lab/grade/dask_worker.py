# SPDX-License-Identifier: GPL-2.0-only
"""What runs in a worker of a Dask cluster: it passes each hand-in on to a process that judges.

A Dask worker runs several threads and may have loaded anything, so it must neither judge nor fork. It keeps a pool of one
worker for each of its threads that is at work.
"""

from __future__ import annotations

import os
import queue
import tempfile
import threading
from dataclasses import replace

from ..check.sandbox import scratch
from .grader import FOLDER
from .hand_in import HandIn
from .mark import Mark
from .scheduler import Task
from .worker_pool import WorkerPool

IDLE = 60.0
"""The time, in seconds, after which a pool without work is closed: the run has ended, or its cluster needs fewer."""


def judge(task: Task, hand_in: HandIn) -> Mark | str:
    """The mark for a hand-in; a str says why this machine can't judge. Called in a thread of a Dask worker."""
    from distributed import get_worker

    pool = _take(task, get_worker().local_directory)
    answer = pool.judge(hand_in)
    if isinstance(answer, Mark):
        with _lock:
            _idle.append(pool)
    return answer


_idle: list[_WarmPool] = []
"""Pools that wait for work."""

_lock = threading.Lock()


def _take(task: Task, folder: str) -> _WarmPool:
    """A pool for this task."""
    with _lock:
        for pool in reversed(_idle):
            if pool.task == task and pool.folder == folder:
                _idle.remove(pool)
                return pool
    return _WarmPool(task, folder)


class _WarmPool:
    """A pool of one worker, for a task, and the thread that it lives with: its processes end when that thread ends.

    ``folder`` is that of the Dask worker. The files of hand-ins lie there: Dask deletes it, even if the worker was killed.
    """

    def __init__(self, task: Task, folder: str) -> None:
        self.task, self.folder = task, folder
        self.given: queue.SimpleQueue[HandIn] = queue.SimpleQueue()
        self.answers: queue.SimpleQueue[Mark | str] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="kvmmmu-lab pool", daemon=True).start()

    def judge(self, hand_in: HandIn) -> Mark | str:
        """The mark for a hand-in, or the reason why there is none, after which this pool is of no use."""
        self.given.put(hand_in)
        return self.answers.get()

    def _run(self) -> None:
        try:
            staging = tempfile.mkdtemp(prefix=FOLDER, dir=self.folder)
            try:
                # the folder beside this worker's are those of the other Dask workers of this machine
                task = replace(self.task, staging=staging, secret=(*self.task.secret, os.path.dirname(self.folder)))
                with WorkerPool(task, 1) as workers:
                    while (hand_in := self._next()) is not None:
                        [mark] = workers.marks([hand_in])
                        self.answers.put(mark)
            finally:
                scratch.discard(staging)
        except Exception as error:
            self.answers.put(f"{type(error).__name__}: {error}")

    def _next(self) -> HandIn | None:
        """The next hand-in; None if none came for some time, and from now on none will."""
        while True:
            try:
                return self.given.get(timeout=IDLE)
            except queue.Empty:
                with _lock:
                    if self in _idle:
                        _idle.remove(self)
                        return None
