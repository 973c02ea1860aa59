# SPDX-License-Identifier: GPL-2.0-only
"""The fork server: a process that has loaded the engine but no submission, and forks the workers.

Usually it is a new process. A command that has loaded nothing but the engine forks it from itself instead, before it loads
the judge: then the engine is loaded once, not twice.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import site
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...errors import LabError
from ...host_platform import HERE
from ..deadline import Deadline

PACKAGE = Path(__file__).resolve().parents[2]
"""The folder of the kit that the judge runs. A worker loads this copy, even if another one is installed."""

BOOT = """
import sys
sys.path[:] = [path for path in sys.path if path]
import importlib.util, os
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

REPLY = 10.0
"""The time, in seconds, in which a fork server answers. A new one has to load the engine first."""

SLICE = 0.1
"""The maximum time, in seconds, for which the judge waits without asking whether the check has been stopped."""

CAN_FORK = HERE.can_fork and hasattr(socket, "recv_fds")


class WorkerError(LabError):
    """Workers cannot be started on this machine."""


def environment() -> dict[str, str]:
    """The environment of a worker: it reveals nothing that a submission must not know.

    It limits glibc to one malloc arena. Otherwise a thread such as the watchdog would reserve a second one, which takes 64 MiB
    of the limited address space. Python's hashes are the same in each process, so that code which depends on the order of a
    set behaves in the same way.
    """
    kept = {name: os.environ[name] for name in os.environ if name in KEPT or name.startswith("OPENBLAS")}
    return kept | {"OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1", "PYTHONHASHSEED": "0"}


def command(last: str, hidden: Sequence[str] = ()) -> list[str]:
    """The command line of a fork server (``last``: the number of its socket) or of a worker that is not forked ("-").

    ``hidden``: see `ForkServer`.

    -s, -P and `BOOT`: Python ignores the current folder and the user's packages; `environment` leaves it none of its variables
    but one. -B: it writes no bytecode files. -X utf8: whatever the console's encoding, a submission can print any character.
    """
    safe = ["-P"] * (sys.version_info >= (3, 11))
    return [sys.executable, "-s", *safe, "-B", "-X", "utf8", "-c", BOOT, str(PACKAGE), *hidden, last]


class Forked:
    """A process that was forked from this one, with those methods of `subprocess.Popen` that a fork server needs."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Its exit status; None while it runs."""
        return self._status(os.WNOHANG)

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait until it ends, and return its exit status. Raises subprocess.TimeoutExpired after ``timeout`` seconds."""
        end = None if timeout is None else time.monotonic() + timeout
        while end is not None and self.poll() is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired("fork", timeout or 0)
            time.sleep(0.001)
        return self._status(0)

    def kill(self) -> None:
        """Kill it."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)

    def _status(self, options: int) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, options)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode


class ForkServer:
    """A process that has loaded the engine and forks workers for any number of submissions.

    ``here``: fork it from this process, if nothing speaks against it: see `can_fork_here`. ``hidden`` are files and folders
    that can't be seen behind the wall even if they lie below what can be seen.
    """

    def __init__(self, here: bool = False, hidden: Sequence[str] = ()) -> None:
        self.lock, self.hidden = threading.Lock(), tuple(hidden)
        self._start(here and can_fork_here())

    def _start(self, here: bool = False) -> None:
        self.link, theirs = socket.socketpair()
        self.process: Forked | subprocess.Popen[bytes]
        with theirs:
            self.process = Forked(_fork_here(theirs, self.hidden)) if here else _spawn(theirs, self.hidden)
        self.ended: dict[int, tuple[int, float]] = {}
        self.waiting = b""
        self.said: str | None = None

    @property
    def no_wall(self) -> str:
        """The reason why workers have no `wall`; "" if they have one."""
        return self.no_wall_by(None)

    def no_wall_by(self, deadline: Deadline | None) -> str:
        """Like `no_wall`, without waiting for the process after the ``deadline``."""
        with self.lock:
            while self.said is None and self.link.fileno() >= 0 and (message := self._next(REPLY, deadline)) is not None:
                self._note(message)
            return "the process that would make it does not answer" if self.said is None else self.said

    def fork(self, request: dict[str, Any], files: list[int], deadline: Deadline) -> tuple[int, str]:
        """Fork a worker; return its pid and its scratch folder. Raises WorkerError, or OutOfTime after the ``deadline``."""
        with self.lock:
            for _ in range(2):
                with contextlib.suppress(OSError):
                    found = self._fork(request, files, deadline)
                    if found is not None:
                        return found
                deadline.check()
                self.close()  # the fork server is dead, or doesn't answer
                self._start()
            raise WorkerError("the process that runs submissions can't be started or can't load the kit: run kvmmmu-lab doctor")

    def _fork(self, request: dict[str, Any], files: list[int], deadline: Deadline) -> tuple[int, str] | None:
        data = json.dumps(request).encode() + b"\n"
        self.link.settimeout(max(0.01, min(REPLY, deadline.end - time.monotonic())))  # it may have been stopped
        socket.send_fds(self.link, [data[: 1 << 16]], files)
        self.link.sendall(data[1 << 16 :])
        while (message := self._next(REPLY, deadline)) is not None:
            if "scratch" in message:
                return int(message["pid"]), str(message["scratch"])
            self._note(message)
        return None

    def _note(self, message: dict[str, Any]) -> None:
        """Keep what the process says besides its answer to a request."""
        if "status" in message:
            self.ended[message["pid"]] = message["status"], message["seconds"]
        elif "no wall" in message:
            self.said = message["no wall"]

    def status(self, pid: int, seconds: float, deadline: Deadline) -> tuple[int, float] | None:
        """A worker's exit status, as `os.waitpid` reports it, and its processor time; None if they do not arrive in time."""
        with self.lock:
            end = time.monotonic() + seconds
            while pid not in self.ended and (left := end - time.monotonic()) > 0:
                message = self._next(left, deadline)
                if message is None:
                    break
                self._note(message)
            return self.ended.pop(pid, None)

    def _next(self, seconds: float, deadline: Deadline | None = None) -> dict[str, Any] | None:
        end = time.monotonic() + seconds
        while b"\n" not in self.waiting:
            wait = (end if deadline is None else min(end, deadline.end)) - time.monotonic()
            if wait <= 0:
                return None
            if not select.select([self.link], [], [], min(wait, SLICE))[0]:
                continue
            data = self.link.recv(1 << 16)
            if not data:
                return None
            self.waiting += data
        line, _, self.waiting = self.waiting.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message

    def close(self) -> None:
        """Terminate the process. It first terminates its workers and deletes their folders."""
        self.link.close()
        try:
            self.process.wait(5.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self) -> ForkServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _spawn(link: socket.socket, hidden: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start a new process as the fork server, at the other end of ``link``."""
    return subprocess.Popen(
        command(str(link.fileno()), hidden),
        pass_fds=[link.fileno()],
        env=environment(),
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )


def can_fork_here() -> bool:
    """Whether this process may become a fork server by forking: it runs one thread, and knows no expected results yet."""
    return CAN_FORK and threading.active_count() == 1 and not any(name in sys.modules for name in JUDGES)


JUDGES = ("kvmmmu_lab.check.judge", "kvmmmu_lab.check.oracle", "pytest", "ipykernel")
"""Modules whose presence tells that a process has loaded the judge or is somebody else's."""


def _fork_here(link: socket.socket, hidden: Sequence[str]) -> int:
    """Fork this process as the fork server, at the other end of ``link``; return its pid."""
    from . import runner

    pid = os.fork()
    if pid:
        return pid
    try:
        runner.become_server(link, set(environment()), _not_isolated(), hidden)
    finally:
        os._exit(70)


def _not_isolated() -> set[str]:
    """The entries of ``sys.path`` that a new process with -I (see `command`) would not have."""
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    own = [] if getattr(sys.flags, "safe_path", False) else sys.path[:1]  # the folder of the script, or the current folder
    return {"", *given, *own, site.USER_SITE or ""}
