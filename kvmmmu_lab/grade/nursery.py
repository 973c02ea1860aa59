# SPDX-License-Identifier: GPL-2.0-only
"""The nursery: a process that has loaded the engine and forks the workers of a pool.

It is a new process and not the pool's own, because a submission may come to read what was in the memory of the process from
which its own was forked: the pool's process holds the hand-ins and the marks of others.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from multiprocessing.connection import Connection
from typing import Any

from ..check.sandbox import wall
from ..check.sandbox.forkserver import PACKAGE, WorkerError
from .worker import work

PROGRAM = """
import sys
package, sys.path[:] = sys.argv[1], sys.argv[2].splitlines()
import importlib.util, os
spec = importlib.util.spec_from_file_location("kvmmmu_lab", os.path.join(package, "__init__.py"))
kit = sys.modules["kvmmmu_lab"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(kit)
from kvmmmu_lab.grade.nursery import main
main(int(sys.argv[3]), int(sys.argv[4]))
"""
"""The program of a nursery. It loads this copy of the kit, even if another one is installed."""

REPLY = 30.0
"""The time, in seconds, in which a nursery answers. A new one has to load the engine first."""

TIDY = 5.0
"""The time, in seconds, that workers have to end by themselves."""


class Nursery:
    """A nursery, as the pool's process sees it. If it dies, its workers do too, and the next one is forked by a new nursery."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        self.link, theirs = socket.socketpair()
        self.link.settimeout(REPLY)
        paths = sys.path if getattr(sys.flags, "safe_path", False) else sys.path[1:]  # not the folder of the script
        arguments = [str(PACKAGE), "\n".join(filter(None, paths)), str(theirs.fileno()), str(os.getpid())]
        options = ["-X", "utf8"] + ["-X", f"pycache_prefix={sys.pycache_prefix}"] * bool(sys.pycache_prefix)
        # as for a fork server: no memory is reserved for threads, and the order of a set is the same in each process
        environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1", "PYTHONHASHSEED": "0"}
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, *options, "-c", PROGRAM, *arguments],
                pass_fds=[theirs.fileno()],
                env=environment,
                stdin=subprocess.DEVNULL,
            )

    def fork(self, connection: socket.socket) -> int:
        """Fork a worker with this end of its connection; return its pid. Raises WorkerError."""
        for _ in range(2):
            with contextlib.suppress(OSError, ValueError):
                socket.send_fds(self.link, [b'{"fork": true}\n'], [connection.fileno()])
                return int(self._reply()["pid"])
            self.close()
            self._start()
        raise WorkerError("the process that starts workers can't be started or can't load the kit: run kvmmmu-lab doctor")

    def end(self, pid: int) -> str:
        """Kill a worker, if it still runs; return how it ended, in words."""
        with contextlib.suppress(OSError, ValueError):
            self.link.sendall(json.dumps({"end": pid}).encode() + b"\n")
            status = self._reply()["status"]
            if status is not None:
                return f"exit status {status}" if status >= 0 else f"signal {-status} ({signal.strsignal(-status)})"
        return "with the process that started it"

    def _reply(self) -> dict[str, Any]:
        """The answer to a request. Raises OSError or ValueError if none comes."""
        data = b""
        while not data.endswith(b"\n"):
            more = self.link.recv(1 << 12)
            if not more:
                raise OSError("the nursery has ended")
            data += more
        reply: dict[str, Any] = json.loads(data)
        return reply

    def close(self) -> None:
        """End the nursery and its workers."""
        self.link.close()
        try:
            self.process.wait(2 * TIDY)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def main(link: int, parent: int) -> None:
    """Run as a nursery: fork a worker for each request, until the pool's process has ended."""
    wall.die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from ..check.sandbox import runner  # noqa: F401  # loaded once, for all workers

    _Forked(socket.socket(fileno=link)).serve()


class _Forked:
    """The workers that a nursery has forked, by pid."""

    def __init__(self, link: socket.socket) -> None:
        self.link, self.pids, self.own = link, set[int](), os.getpid()

    def serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                data, files, _, _ = socket.recv_fds(self.link, 1 << 12, 1)
                if not data:
                    break
                request = json.loads(data)
                reply = {"pid": self._fork(files[0])} if files else {"status": self._end(request["end"])}
                self.link.sendall(json.dumps(reply).encode() + b"\n")
        self._end_all()

    def _fork(self, file: int) -> int:
        pid = os.fork()
        if not pid:
            try:
                wall.die_with(self.own)
                self.link.close()
                work(Connection(file))
            except BaseException:
                os._exit(70)
            os._exit(0)
        os.close(file)
        self.pids.add(pid)
        return pid

    def _end(self, pid: int) -> int | None:
        """Kill a worker if it still runs, and return its exit status."""
        if pid not in self.pids:
            return None
        self.pids.remove(pid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def _end_all(self) -> None:
        """Wait until the workers, whose connections have been closed, have ended; kill those that don't."""
        end = time.monotonic() + TIDY
        while self.pids and time.monotonic() < end:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            self.pids.discard(pid)
            if not pid:
                time.sleep(0.005)
        for pid in list(self.pids):
            self._end(pid)
