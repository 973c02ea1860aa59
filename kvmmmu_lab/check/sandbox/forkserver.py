# SPDX-License-Identifier: GPL-2.0-only
"""The fork server: a process that has loaded the engine but no submission, and forks the workers."""

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

PACKAGE = Path(__file__).resolve().parents[2]
"""The folder of the kit that the judge runs. A worker loads this copy, even if another one is installed."""

BOOT = """
import importlib.util, os, sys
package = sys.argv[1]
spec = importlib.util.spec_from_file_location("kvmmmu_lab", os.path.join(package, "__init__.py"))
kit = sys.modules["kvmmmu_lab"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(kit)
sys.path.append(os.path.dirname(package))  # numpy may be installed beside the kit; last, so that nothing there hides a module
from kvmmmu_lab.check.sandbox.runner import main
main()
"""
"""The program that a fork server or worker runs. It loads the package from its folder instead of searching the path."""

KEPT = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "LANG", "LC_ALL")
"""Environment variables passed to a worker. Those that start with OPENBLAS are passed too: some processors need them."""

CAN_FORK = hasattr(os, "fork") and hasattr(socket, "recv_fds")


class WorkerError(LabError):
    """Workers cannot be started on this machine."""


def environment() -> dict[str, str]:
    """The environment of a worker: it reveals nothing that a submission must not know.

    It limits glibc to one malloc arena. Otherwise a thread such as the watchdog would reserve a second one, which takes 64 MiB
    of the limited address space.
    """
    kept = {name: value for name, value in os.environ.items() if name in KEPT or name.startswith("OPENBLAS")}
    return kept | {"OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}


def command(last: str) -> list[str]:
    """The command line of a fork server (``last``: the number of its socket) or of a worker that is not forked ("-").

    -I: Python ignores its environment variables and the current folder. -B: it writes no bytecode files. -X utf8: whatever the
    console's encoding, a submission can print any character.
    """
    return [sys.executable, "-I", "-B", "-X", "utf8", "-c", BOOT, str(PACKAGE), last]


class ForkServer:
    """A process that has loaded the engine and forks workers for any number of submissions."""

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
        """Fork a worker and return its pid. Raises WorkerError."""
        with self.lock:
            for _ in range(2):
                with contextlib.suppress(OSError):
                    pid = self._fork(request, files)
                    if pid is not None:
                        return pid
                self.close()  # the fork server is dead, or doesn't answer
                self._start()
            raise WorkerError("the process that runs submissions can't be started or can't load the kit: run kvmmmu-lab doctor")

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
        """A worker's exit status, as `os.waitpid` reports it; None if it does not arrive in time."""
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
        """Terminate the process."""
        self.link.close()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def __enter__(self) -> ForkServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
