# SPDX-License-Identifier: GPL-2.0-only
"""The process in which a submission runs: it loads the submission, then plays scenarios for the judge (see `protocol`).

The fork server has loaded the engine, but no submission; it forks a worker for each submission. On systems without fork,
a new process is started for each submission. If a worker exceeds its time, a watchdog that no Python code can stop
sends the line that is running and terminates the worker.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import errno
import faulthandler
import gc
import io
import itertools
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from ...errors import LabError
from ...exercises import Scenario
from .. import parts
from ..parts import Part
from ..testbench import Bench
from . import limits, loading, scratch, wall
from .limits import NotAllowed
from .loading import Places
from .machine_data import machine_data

Tell = Callable[[dict[str, Any]], None]
"""A function that sends a message to the judge."""


def main() -> None:
    """Run as the judge's fork server; the last argument is the number of its socket. If it is "-", run a single submission.

    The first argument is the folder of the kit. Those between are what stays hidden: see `forkserver.ForkServer`.
    """
    if sys.argv[-1] == "-":
        _single()
    wall.hide(sys.argv[2:-1])
    _listen(socket.socket(fileno=int(sys.argv[-1])))


def become_server(link: socket.socket, variables: set[str], paths: set[str], hidden: Sequence[str] = ()) -> None:
    """Run as a fork server that was forked from the judge's process; return when the judge has exited.

    It keeps only these environment variables, and leaves out these entries of ``sys.path``, so that it is like a new process.
    ``hidden``: see `forkserver.ForkServer`.
    """
    wall.hide(hidden)
    os.setsid()
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_DFL)
    forget(variables)
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    kept = link.fileno()
    os.closerange(3, kept)
    os.closerange(kept + 1, 1024)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  # as long as the process
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    folder = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    sys.path[:] = [*(path for path in sys.path if path not in paths), folder]  # last, as in `forkserver.BOOT`
    sys.argv[:] = ["-c"]
    sys.dont_write_bytecode = True
    _listen(link)


def forget(variables: set[str]) -> None:
    """Remove all environment variables but these from this process, and from its memory.

    The block in which the kernel has passed them stays readable for a submission, and so do objects that Python has freed.
    """
    kept = {name: os.environ[name] for name in variables if name in os.environ}
    for value in getattr(os.environ, "_data", {}).values():
        if isinstance(value, bytes) and len(value) > 1:  # Python shares bytes of length 0 and 1
            ctypes.memset(id(value) + bytes.__basicsize__ - 1, 0, len(value))
    os.environ.clear()
    with contextlib.suppress(OSError, ValueError, IndexError):
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        begin, end = int(fields[47]), int(fields[48])  # env_start and env_end, which proc(5) numbers 50 and 51
        ctypes.memset(begin, 0, end - begin)
    os.environ.update(kept)


def _listen(link: socket.socket) -> None:
    """Fork a worker for each request of the judge, until the judge exits."""
    _settle()
    wall.adopt_orphans()
    workers = Workers(link)
    try:
        workers.serve()
    finally:
        workers.end()


class Workers:
    """The workers that a fork server has forked, with the scratch ``folders`` of those without a wall, by pid.

    One worker always waits for the next submission, ``spare``, so that a submission does not wait for a wall. The fork server
    is the parent of all processes that a worker leaves behind, and kills them.
    """

    def __init__(self, link: socket.socket) -> None:
        self.link, self.server, self.walled = link, os.getpid(), wall.LINUX
        self.folders: dict[int, str] = {}
        self._prepare()

    def serve(self) -> None:
        """Give each submission of the judge to a worker, until the judge exits."""
        waiting = b""
        with contextlib.suppress(OSError):  # the judge has exited
            self._tell({"no wall": self._no_wall()})
            while True:
                ready, _, _ = select.select([self.link], [], [], 0.05)
                for pid, status, seconds in self._ended():
                    self._tell({"pid": pid, "status": status, "seconds": seconds})
                if not ready:
                    continue
                data, files, _, _ = socket.recv_fds(self.link, 1 << 20, 3)
                if not data:
                    return
                waiting += data
                if files:
                    pipes = files
                if waiting.endswith(b"\n"):
                    self._hand_over(json.loads(waiting), pipes)
                    waiting = b""

    def _prepare(self) -> None:
        """Fork the worker for the next submission."""
        self.spare, theirs = socket.socketpair()
        self.next = os.fork()
        if not self.next:
            _child(self.server, theirs, self.walled)
        theirs.close()
        self.folders[self.next], self.ready = "", False

    def _problem(self) -> str:
        """Wait until the spare worker is ready; return the reason why it can't be, or ""."""
        if not self.ready:
            self.spare.settimeout(wall.WAIT)
            said = self.spare.recv(1 << 10).decode("utf-8", "replace")
            self.ready = said == READY
            return "" if self.ready else said or "the process that runs a submission has died"
        return ""

    def _no_wall(self) -> str:
        """The reason why workers have no wall; "" if they have one. The first one tries it."""
        problem = self._problem() if self.walled else wall.ELSEWHERE
        if self.walled and problem:
            self.walled = False
            self._replace()
        return problem if not self.walled else ""

    def _replace(self) -> None:
        """Give up the spare worker for another. Raises OSError if that can't run a submission either."""
        self.spare.close()
        self._prepare()
        if problem := self._problem():
            raise OSError(problem)

    def _hand_over(self, request: dict[str, Any], pipes: list[int]) -> None:
        """Give a submission to the spare worker, and fork another. Raises OSError if no worker can be had."""
        if self._problem():
            self._replace()
        folder = wall.SCRATCH if self.walled else scratch.make()
        data = json.dumps(request | {"scratch": folder, "walled": self.walled}).encode() + b"\n"
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # then the worker has ended, which the judge is told
            sent = socket.send_fds(self.spare, [data[: 1 << 16]], pipes)
            if sent < len(data):
                self.spare.sendall(data[sent:])
        self.spare.close()
        for file in pipes:
            os.close(file)
        self.folders[self.next] = folder
        self._tell({"pid": self.next, "scratch": folder})
        self._prepare()

    def _tell(self, message: dict[str, Any]) -> None:
        self.link.sendall(json.dumps(message).encode() + b"\n")

    def _ended(self) -> list[tuple[int, int, float]]:
        """The pid, exit status and processor time of each worker that has ended; what it has left behind is gone."""
        found = []
        with contextlib.suppress(ChildProcessError):
            while (ended := os.wait4(-1, os.WNOHANG))[0]:
                pid, status, usage = ended
                if pid in self.folders:
                    found.append((pid, status, usage.ru_utime + usage.ru_stime))
        folders = [self.folders.pop(pid) for pid, _, _ in found]
        self._kill([orphan for orphan in self._children() if orphan not in self.folders])
        for folder in folders:
            self._discard(folder)
        return found

    def end(self) -> None:
        """Kill all processes that descend from this one, and delete the scratch folders."""
        self._kill(self._children())
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, 0):
                self._kill(self._children())
        for folder in self.folders.values():
            self._discard(folder)

    def _discard(self, folder: str) -> None:
        if folder not in ("", wall.SCRATCH):
            scratch.discard(folder)

    def _children(self) -> list[int]:
        """The processes whose parent is this one; where the system does not tell, the workers."""
        try:
            return [int(pid) for pid in Path(f"/proc/self/task/{self.server}/children").read_text().split()]
        except OSError:
            return list(self.folders)

    def _kill(self, pids: list[int]) -> None:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)


def _settle() -> None:
    """Make garbage collection rare: loaded modules are never freed, and machines are collected after each scenario."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)


def _single() -> None:
    """Run one submission, communicating through the standard files. Never returns."""
    answers = os.dup(1)
    os.dup2(2, 1)
    try:
        request = json.loads(sys.stdin.buffer.readline())
        limits.adopt(request["limits"])
        serve(request, sys.stdin.buffer, answers)
    finally:
        os._exit(70)


def _child(server: int, link: socket.socket, walled: bool) -> None:
    """Run as the worker: wait at the end of ``link`` for a submission, with three files for the judge. Never returns."""
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        null = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(null, standard)
        _close_all_but(link.fileno())
        if walled:
            wall.enter(server)
        else:
            wall.die_with(server)
        link.sendall(READY.encode())
        request, (requests, answers, output) = _submission(link)
        limits.adopt(request["limits"])
        os.dup2(output, 1)
        os.dup2(output, 2)
        _close_all_but(requests, answers)
        if walled:
            wall.complete(limits.SPACE.bytes + limits.HELPERS.bytes)
        wall.give_up_rights()
        serve(request, os.fdopen(requests, "rb"), answers)
    except BaseException as error:
        # for any exception, the judge sees a worker that ended without an answer
        said = f"{error}".encode("utf-8", "replace")[:1000] or type(error).__name__.encode()
        with contextlib.suppress(BaseException):
            os.write(2, said)
            link.sendall(said)
    finally:
        os._exit(70)


READY = "ready"
"""What a worker says that waits for a submission."""


def _submission(link: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Wait for a submission and its files. Without one, this process ends."""
    data, files, _, _ = socket.recv_fds(link, 1 << 20, 3)
    while data and not data.endswith(b"\n"):
        more = link.recv(1 << 20)
        data = data + more if more else b""
    if not data:  # the fork server has ended
        os._exit(0)
    return json.loads(data), files


def _close_all_but(*kept: int) -> None:
    """Close all files but the standard files and those given."""
    ends = [2, *sorted(kept), os.sysconf("SC_OPEN_MAX")]
    for low, high in itertools.pairwise(ends):
        os.closerange(low + 1, high)


def serve(request: dict[str, Any], requests: IO[bytes], answers: int) -> None:
    """Load a submission, then play scenarios until the judge closes the pipe."""
    sys.stdout, sys.stderr = _utf8(1), _utf8(2, line_buffering=True)
    faulthandler.enable(answers)

    def watch(seconds: float | None) -> None:
        if seconds is None:
            faulthandler.cancel_dump_traceback_later()
        else:
            faulthandler.dump_traceback_later(seconds, exit=True, file=answers)

    session = Session(request, _sender(answers), watch)
    session.enter()
    if session.load():
        while line := requests.readline():
            session.play(json.loads(line))


class Session:
    """What a worker does with one submission, whatever its messages travel through.

    ``tell`` sends a message to the judge. ``watch`` sets the watchdog to a number of seconds from now, or stops it (None).
    """

    def __init__(self, request: dict[str, Any], tell: Tell, watch: Callable[[float | None], None]) -> None:
        self.request, self.tell, self.watch = request, tell, watch
        self.part, folder = parts.PARTS[request["part"]], request["scratch"]
        self.places = loading.Places(dict(request["units"]), str(Path(folder)))

    def enter(self) -> None:
        """Remove the part under test from this process, and what a submission must not use."""
        request, folder = self.request, Path(self.request["scratch"])
        parts.remove(self.part)
        os.chdir(folder)
        os.environ.clear()
        sys.path[:] = [path for path in sys.path if path]
        loading.lay_out(request["files"], folder)
        limits.limit(request["seconds"], walled=request["walled"])
        if not request["walled"]:
            limits.fence(str(folder), tuple(request["secret"]))

    def load(self) -> bool:
        """Load the submission, and tell the judge; return whether it can be played."""
        request = self.request
        self.watch(request["loading"])
        try:
            self.defined = load(request, self.places)
            lacking = parts.missing(self.defined, request["defines"])
            if lacking:
                self.tell({"failed": {"type": "missing", "kind": "missing", "what": ", ".join(lacking)}})
                return False
        except BaseException as error:
            self.tell({"failed": failure(error, self.places)})
            return False
        self.tell({"loaded": True})
        self.ready = self.part.parts(self.defined, request["defines"][0])
        self.watch(None)
        return True

    def play(self, order: dict[str, Any]) -> None:
        """Play a scenario."""
        self.watch(order["seconds"])
        _play(order, self.part, self.ready, self.defined, self.tell, self.places)
        gc.collect()  # takes 0.1 ms; a machine takes megabytes of the limited memory and has many reference cycles
        self.watch(None)


def _utf8(file: int, **options: Any) -> io.TextIOWrapper:
    """A text stream to an open file that takes any character, whatever the encoding of the console is."""
    return io.TextIOWrapper(open(file, "wb", closefd=False), "utf-8", "backslashreplace", **options)


def _sender(answers: int) -> Tell:
    """Return a function that sends a message to the judge. It works even if a submission changes `json` and `os`."""
    encode, write = json.JSONEncoder(separators=(",", ":")).encode, os.write

    def tell(message: dict[str, Any]) -> None:
        data = memoryview(encode(message).encode() + b"\n")
        while data:
            data = data[write(answers, data) :]

    return tell


def _play(
    order: dict[str, Any], part: Part, ready: dict[str, Any], defined: dict[str, Any], tell: Tell, places: Places
) -> None:
    """Play one scenario; send the observations after each step."""
    ticket, looks = order["ticket"], tuple(order["looks"])
    scenario = Scenario(**order["scenario"])
    try:
        bench = Bench(scenario, ready, defined)
        played = bench.play(scenario.steps, looks, order["hashed"], part if order["sparse"] else None)
        for number, seen in enumerate(played):
            if number == order.get("detail"):
                seen["machine"] = machine_data(bench.vm)
            tell({"ticket": ticket, "step": number, "seen": seen})
    except BaseException as error:
        _flush()
        tell({"ticket": ticket, "end": "raised", "error": failure(error, places)})
        return
    _flush()
    tell({"ticket": ticket, "end": "done"})


def _flush() -> None:
    """Flush the output, so that the judge knows which scenario printed it."""
    with contextlib.suppress(BaseException):
        sys.stdout.flush()


def load(request: dict[str, Any], places: Places) -> dict[str, Any]:
    """Load a submission and return what it defines."""
    pickled = base64.b64decode(request["objects"])
    loading.prepare(request["name"], list(request["files"]), places.folder, notebook=request["notebook"])
    if pickled:
        return loading.unpickle(pickled, places.units)
    return loading.execute(places.units, None if request["notebook"] else os.path.join(places.folder, request["name"]))


def failure(error: BaseException, places: Places) -> dict[str, Any]:
    """The message to the judge about an exception, with the submission's innermost line in its traceback."""
    if isinstance(error, parts.Absent | NotAllowed):
        kind = "absent" if isinstance(error, parts.Absent) else "forbidden"
    elif isinstance(error, NotImplementedError):
        kind = "unwritten"
    elif isinstance(error, MemoryError):
        kind = "memory"
    else:
        kind = "crash" if isinstance(error, LabError) else "raised"
    said: dict[str, Any] = {"type": type(error).__name__, "kind": kind, "what": _text(error)}
    numbers = [one.errno for one in (error, error.__context__) if isinstance(one, OSError) and isinstance(one.errno, int)]
    if allowed := _allowed(error):
        said["what"] += f" (a check allows {allowed})"
    elif places.folder == wall.SCRATCH and (meant := [wall.REFUSED[number] for number in numbers if number in wall.REFUSED]):
        said["what"] += f" (during a check, {meant[0]})"
    if isinstance(error, SyntaxError) and (file := places.file(error.filename or "")) is not None:
        return said | {"what": error.msg, "file": file, "line": error.lineno or 0}
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if (file := places.file(code.co_filename)) is not None:
            said |= {"file": file, "line": trace.tb_lineno, "function": code.co_name}
        trace = trace.tb_next
    return said


def _allowed(error: BaseException) -> str:
    """The limit that an exception comes from, in words; "" if it comes from no limit."""
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        return limits.THREADS.words
    match error.errno if isinstance(error, OSError) else None:
        case errno.EFBIG:
            return f"a file of {limits.FILE.words}"
        case errno.ENOSPC:
            both = f"{limits.FILES.variable} and {limits.SPACE.variable}"
            most = f"{limits.FILES.value:g} files of {limits.SPACE.value:g} {limits.SPACE.unit} in all"
            return f"{most}; the environment variables {both} set other limits"
        case errno.EMFILE:
            return f"{limits.OPEN.value:g} open {limits.OPEN.unit}; {limits.OPEN.how}"
    return ""


def _text(error: BaseException) -> str:
    try:
        return str(error)[:500]
    except BaseException:
        return "(its text raises an exception)"


if __name__ == "__main__":
    main()
