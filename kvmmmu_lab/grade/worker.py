# SPDX-License-Identifier: GPL-2.0-only
"""A worker of a pool: a process that judges one hand-in after the other.

It forks the process that runs submissions before it loads the judge, which is therefore imported in the function.
"""

from __future__ import annotations

import contextlib
import os
import signal
from multiprocessing.connection import Connection

from ..check.sandbox.forkserver import CAN_FORK, ForkServer
from .scheduler import Task

READY = "ready"
"""What a worker says when it has loaded the judge."""

DEBUG = "KVMMMU_LAB_DEBUG"
"""Without this environment variable (see `check.judge`), a worker prints nothing: the pool tells if it has died."""


def work(connection: Connection) -> None:
    """Receive a `Task`, say `READY`; then receive hand-ins, and answer each with its mark, until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the pool's process decides what Ctrl+C means
    if not os.environ.get(DEBUG):
        null = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(null, standard)
    with contextlib.suppress(EOFError, OSError):  # the pool's process has ended, or has no use for this one any more
        task: Task = connection.recv()
        with ForkServer(here=True, hidden=task.secret) if CAN_FORK else contextlib.nullcontext() as server:
            from .grader import Grader

            with Grader(task, server) as grader:
                connection.send(READY)
                while True:
                    connection.send(grader.mark(connection.recv()))
