# SPDX-License-Identifier: GPL-2.0-only
"""The cluster: the scheduler that has hand-ins judged by the workers of a Dask cluster, on any number of machines."""

from __future__ import annotations

import contextlib
import logging
import queue
import time
import warnings
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..errors import LabError
from ..workspace import install_hint
from .dask_worker import judge
from .grader import exercise_of, stamp_of, unjudged
from .hand_in import HandIn
from .kit_copy import KitCopy, copy_here
from .mark import NOT_JUDGED, Mark
from .scheduler import Task

ANSWER = 10.0
"""The time, in seconds, in which the scheduler of the cluster answers."""

PATIENCE = 30.0
"""The time, in seconds, for which the cluster may be without workers: new ones may be about to begin."""

OFTEN = 1.0
"""The time, in seconds, between two looks at which workers there are."""

SPARE = 1
"""How many hand-ins wait at each worker, so that it need not wait for them."""

GOES_ON = "what was finished is kept, and the same command goes on from there"


class ClusterError(LabError):
    """A cluster can't be reached, or can't judge."""


class Cluster:
    """Has hand-ins judged by the workers of the Dask cluster whose scheduler is at ``address``, at most ``jobs`` at a time.

    By default, as many are judged at a time as the workers have threads. Raises ClusterError, as all methods do.
    """

    def __init__(self, task: Task, address: str, jobs: int = 0) -> None:
        self.task = replace(task, staging="")  # each machine has its own
        self.address, self.jobs = address, jobs
        self.copy = copy_here()
        self.stamps: dict[str, str] = {}
        self.workers: dict[str, int] = {}
        self.looked = self.seen = 0.0
        self.client = _connected(address)
        try:
            self._look()
            while not self.workers:
                time.sleep(OFTEN / 10)
                self._look()
        except BaseException:
            self.close()
            raise

    def marks(self, hand_ins: Iterable[HandIn]) -> Iterator[Mark]:
        """Yield the marks in the order in which they are ready."""
        source, again = iter(hand_ins), deque[HandIn]()
        given: dict[str, _Given] = {}
        done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.seen = time.monotonic()
        try:
            while True:
                self._look()
                while len(given) < self._room():
                    hand_in = again.popleft() if again else next(source, None)
                    if hand_in is None:
                        break
                    with self._talking():
                        future = self.client.submit(judge, self.task, hand_in, pure=False)
                        given[future.key] = _Given(hand_in, future)
                        future.add_done_callback(done.put)
                if not given:
                    return
                with contextlib.suppress(queue.Empty):
                    one = given.pop(done.get(timeout=OFTEN).key)
                    mark = self._mark(one)
                    if mark is None:
                        again.append(one.hand_in)
                    else:
                        yield mark
        finally:
            if self.client.status == "running":
                self.client.cancel([one.future for one in given.values()])

    def _mark(self, given: _Given) -> Mark | None:
        """The mark for a hand-in, if the cluster is done with it; None if it has lost it."""
        from distributed import CancelledError, KilledWorker, TimeoutError  # the latter is asyncio's own in Python 3.10

        hand_in = given.hand_in
        with self._talking():
            try:
                answer = given.future.result(PATIENCE)
            except (CancelledError, TimeoutError):  # the scheduler has begun anew, or the worker has ended since
                return None
            except KilledWorker as error:
                problem = f"{error.allowed_failures + 1} workers of the cluster ended before it was done"
                exercise = exercise_of(hand_in.exercise, self.task.settings)
                return unjudged(hand_in, exercise, self.task.settings, NOT_JUDGED, problem)
        if isinstance(answer, str):
            raise ClusterError(f"a worker of the cluster can't judge ({answer}): mend or end it; {GOES_ON}")
        if answer.stamp != self._stamp(hand_in.exercise):
            self._check(list(self.workers))
            raise ClusterError(f"a worker of the cluster has judged with another copy of the kit: start it anew; {GOES_ON}")
        mark: Mark = answer
        return mark

    def _stamp(self, name: str) -> str:
        if name not in self.stamps:
            self.stamps[name] = stamp_of(exercise_of(name, self.task.settings), self.task.settings)
        return self.stamps[name]

    def _room(self) -> int:
        """How many hand-ins may be with the cluster: at least one, which waits for a worker."""
        return self.jobs or sum(self.workers.values()) + SPARE * len(self.workers) or 1

    def _look(self) -> None:
        """See which workers there are, unless that was done just now. New ones must have the same copy of the kit."""
        now = time.monotonic()
        if now - self.looked < OFTEN and self.workers:
            return
        with self._talking():
            # `client.nthreads`, which would wait for ever
            found = dict(self.client.sync(self.client.scheduler.ncores, callback_timeout=PATIENCE))
        self.looked = now
        self.seen = now if found or not self.seen else self.seen
        if now - self.seen > PATIENCE:
            advice = f"start some with: dask worker {self.address}"
            raise ClusterError(f"the cluster at {self.address} has had no worker for {PATIENCE:g} seconds: {advice}; {GOES_ON}")
        new = [worker for worker in found if worker not in self.workers]
        if new:
            self._check(new)
        self.workers = found

    def _check(self, workers: Sequence[str]) -> None:
        """Raise ClusterError if any of these workers has no kit, or another one."""
        with self._talking():
            answers = self.client.run(copy_here, workers=list(workers), on_error="return")
        for worker, answer in answers.items():
            if isinstance(answer, KitCopy):
                said = self.copy.difference(answer)
            elif isinstance(answer, OSError):  # it has ended in the meantime
                continue
            else:
                # Dask passes on some exceptions as the text of another one
                why = f"{answer}" if type(answer) is Exception else f"{type(answer).__name__}: {answer}"
                said = f"can't load this version of the kit ({why})"
            if said:
                raise ClusterError(f"the worker {worker} {said}: every worker needs this version of the kit; {GOES_ON}")

    @contextlib.contextmanager
    def _talking(self) -> Iterator[None]:
        """What may fail because the cluster is gone."""
        try:
            yield
        except LabError:
            raise
        except Exception as error:
            said = f"the cluster at {self.address} does not answer any more ({_words(error)})"
            raise ClusterError(f"{said}; {GOES_ON}") from error

    def close(self) -> None:
        """Leave the cluster. Its workers soon end their processes for this run."""
        with contextlib.suppress(Exception):
            self.client.close(ANSWER)

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True)
class _Given:
    """A hand-in that is with the cluster."""

    hand_in: HandIn
    future: Any


def _connected(address: str) -> Any:
    """A client of the Dask scheduler at ``address``."""
    try:
        import dask
        from distributed import Client, TimeoutError
        from distributed.comm import resolve_address
    except ModuleNotFoundError as error:
        raise ClusterError(f"a cluster needs {error.name}, which is missing: {install_hint('cluster')}") from error
    # a hand-in may be large; and what goes wrong is told in one sentence
    dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 GiB"})
    for handler in logging.getLogger("distributed").handlers:
        handler.setLevel(logging.CRITICAL + 1)
    try:
        resolve_address(address)  # a client with a wrong one would leave a thread behind
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # other versions of Dask; those of what marks depend on are compared
            return Client(address, timeout=ANSWER, set_as_default=False)
    except (OSError, ValueError, TypeError, TimeoutError) as error:
        advice = "start one with: dask scheduler"
        raise ClusterError(f"no Dask scheduler answers at {address} ({_words(error)}): {advice}") from error


def _words(error: BaseException) -> str:
    return f"{error}".strip().splitlines()[0][:200] if f"{error}".strip() else type(error).__name__
