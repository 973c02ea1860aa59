# SPDX-License-Identifier: GPL-2.0-only
"""The process from which workers are forked: it has the engine loaded, and no submission."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from ...errors import LabError

ROOT = Path(__file__).resolve().parents[3]
"""The folder that this package is in, which a worker must find, too."""

BOOT = "import sys; sys.path.append(sys.argv[1]); from kvmmmu_lab.check.sandbox.runner import main; main()"
KEPT = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "LANG", "LC_ALL")
"""Environment variables that a worker gets (and those of OPENBLAS, which some processors need)."""

CAN_FORK = hasattr(os, "fork") and hasattr(socket, "recv_fds")


class WorkerError(LabError):
    """No worker can be had on this machine."""


def environment() -> dict[str, str]:
    """The environment of a worker: nothing that a submission must not know."""
    kept = {name: value for name, value in os.environ.items() if name in KEPT or name.startswith("OPENBLAS")}
    return kept | {"OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def command(last: str) -> list[str]:
    """The command line of a nursery, or ("-") of a worker that isn't forked."""
    return [sys.executable, "-I", "-c", BOOT, str(ROOT), last]


class Nursery:
    """A process with the engine loaded, from which workers are forked. One serves any number of submissions."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._start()

    def _start(self) -> None:
        self.link, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                command(str(theirs.fileno())),
                pass_fds=[theirs.fileno()],
                env=environment(),
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self.ended: dict[int, int] = {}
        self.waiting = b""

    def fork(self, request: dict[str, Any], files: list[int]) -> int:
        """The pid of a new worker. Raises WorkerError."""
        with self.lock:
            for _ in range(2):
                with contextlib.suppress(OSError):
                    pid = self._fork(request, files)
                    if pid is not None:
                        return pid
                self.close()  # it is dead, or doesn't answer
                self._start()
            raise WorkerError("no process can be had for a submission: the kit can't be loaded; see `kvmmmu-lab doctor`")

    def _fork(self, request: dict[str, Any], files: list[int]) -> int | None:
        data = json.dumps(request).encode() + b"\n"
        socket.send_fds(self.link, [data[: 1 << 16]], files)
        self.link.sendall(data[1 << 16 :])
        while (message := self._next(10.0)) is not None:
            if "status" not in message:
                return int(message["pid"])
            self.ended[message["pid"]] = message["status"]
        return None

    def status(self, pid: int, seconds: float) -> int | None:
        """How a worker ended, as `os.waitpid` has it; None if that isn't known in time."""
        with self.lock:
            end = time.monotonic() + seconds
            while pid not in self.ended and (left := end - time.monotonic()) > 0:
                message = self._next(left)
                if message is None:
                    break
                if "status" in message:
                    self.ended[message["pid"]] = message["status"]
            return self.ended.pop(pid, None)

    def _next(self, seconds: float) -> dict[str, Any] | None:
        while b"\n" not in self.waiting:
            if not select.select([self.link], [], [], seconds)[0]:
                return None
            data = self.link.recv(1 << 16)
            if not data:
                return None
            self.waiting += data
        line, _, self.waiting = self.waiting.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message

    def close(self) -> None:
        """End it, and all that it left."""
        self.link.close()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def __enter__(self) -> Nursery:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
