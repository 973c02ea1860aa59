# SPDX-License-Identifier: GPL-2.0-only
"""The judge's side of a worker: start the process, send scenarios, and read answers, which are untrusted data."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import queue
import secrets
import select
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ...exercises import Exercise, Scenario
from ...host_platform import HERE
from ..compare import Transcript
from ..deadline import Deadline
from ..parts import PARTS
from ..submission import Submission
from . import limits, scratch, wall
from .forkserver import PACKAGE, SLICE, ForkServer, WorkerError, command, environment
from .protocol import LATE, LOADING, checked, escaped, exit_reason, from_watchdog, parsed, stopped_at

GRACE = 1.0
"""Seconds that the judge waits after a worker's own time limit before it kills the worker."""

DAMAGED = "the process with your code sent something that is not an answer to the checker"
PRINTED = 2000
"""How many bytes of a submission's output are kept."""

TRACEBACK = 20_000
"""The number of bytes that are read of a watchdog's traceback."""

BUSY = 0.8
"""The part of its time that a worker computed if no other work on the computer can have made it late."""

KILLED = 9
"""SIGKILL, which Windows does not have."""

ANSWERS, OUTPUT = "answers", "output"
PIECE = 1 << 16
Piece = tuple[str, bytes]
"""The pipe (`ANSWERS` or `OUTPUT`) and the bytes read from it; no bytes at the end of the pipe."""


@dataclass
class Run:
    """A scenario's result. ``seen``: the observations after each finished step. ``end``: "done", "raised", "timeout", "died"
    or "damaged" (an invalid answer). ``error``: what was raised, with the submission's "line" and "function"."""

    seen: Transcript = field(default_factory=Transcript)
    end: str = "done"
    error: dict[str, Any] = field(default_factory=dict)


class Worker:
    """A process that runs one submission: forked from ``server`` if there is one, otherwise newly started.

    ``failed`` is the reason why the submission could not be loaded, or None. ``alive``: whether it can play another scenario.
    ``printed`` is the beginning of its output; ``print_count`` is the number of bytes printed since the count was last reset.
    Nothing waits for a worker after the ``deadline``. ``secret`` are files and folders that the submission must not read,
    besides those of the kit. ``grace``: how long its watchdog may take to say what was running when its time was over.
    """

    def __init__(
        self,
        exercise: Exercise,
        submission: Submission,
        server: ForkServer | None,
        deadline: Deadline | None = None,
        seconds: float = 30,
        secret: Sequence[str] = (),
        grace: float = GRACE,
    ) -> None:
        self.server, self.deadline, self.closed = server, deadline or Deadline(), False
        self.output_limit, self.answer_limit, self.answers_limit = (
            limit.bytes for limit in (limits.OUTPUT, limits.ANSWER, limits.ANSWERS)
        )
        self.answer_sum, self.grace, self.used, self.spent = 0, grace, 0.0, 0.0
        wall.hide_memory()
        self.printed, self.print_count, self.print_sum = b"", 0, 0
        self.lines, self.buffer = deque[bytes](), bytearray()  # answers that have arrived, and the beginning of one
        self.alive, self.pid = True, 0
        self.asked: tuple[Scenario, str] | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self.pipes: AnyPipes
        self.files = {escaped(unit.file): unit.file for unit in submission.units}
        request = {
            "name": submission.name,
            "units": [(unit.file, unit.source) for unit in submission.units],
            "objects": base64.b64encode(submission.objects).decode(),
            "files": {name: base64.b64encode(content).decode() for name, content in submission.files.items()},
            "notebook": bool(submission.cells or submission.objects),
            "part": exercise.part,
            "defines": list(exercise.defines),
            "secret": [*_secret(exercise), *secret],
            "limits": limits.values(),
            "loading": LOADING * limits.TIME.value,
            "seconds": seconds,
        }
        if server is None:
            self._start(request)
        else:
            self._fork(server, request)
        begin = time.monotonic()
        self.failed = self._loaded()
        self.spent += time.monotonic() - begin

    def _fork(self, server: ForkServer, request: dict[str, Any]) -> None:
        pipes = Pipes(self.deadline)
        try:
            self.pid, self.scratch = server.fork(request, pipes.theirs, self.deadline)
        finally:
            pipes.give_away()
        self.pipes = pipes

    def _start(self, request: dict[str, Any]) -> None:
        if not HERE.can_start_programs:
            raise WorkerError(f"this is {HERE}, and checks need a process: check the exercise on a computer")
        self.scratch = scratch.make()
        self.process = subprocess.Popen(
            command("-"),
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self.pid = self.process.pid
        self.pipes = ThreadedPipes(self.process, self.deadline)
        self._send(request | {"scratch": self.scratch, "walled": False}, time.monotonic() + GRACE)

    def _send(self, message: dict[str, Any], end: float) -> None:
        """Send a request. If that fails, no answer comes, and `_line` returns None."""
        self.pipes.send(json.dumps(message, separators=(",", ":")).encode() + b"\n", end)

    def _line(self, end: float) -> bytes | None:
        """The next answer; None if the worker will not answer, or does not answer in time (then ``alive`` stays true)."""
        while not self.lines:
            pieces = self.pipes.receive(end)
            if not pieces or not self._take(pieces) or self._exceeded():
                return None
        return self.lines.popleft()

    def _waiting(self) -> int:
        """The number of bytes of answers that have arrived, but were not read."""
        return sum(map(len, self.lines), len(self.buffer))

    def _exceeded(self) -> str:
        """The limit on output or answers that the submission exceeds, in words; empty if there is none."""
        if self.print_sum > self.output_limit:
            return f"it printed more than {limits.OUTPUT.words}"
        if max(map(len, (self.buffer, *self.lines))) > self.answer_limit:
            return f"what is to be seen after a step is larger than {limits.ANSWER.words}"
        if self.answer_sum > self.answers_limit:
            return f"what is to be seen in these steps is larger than {limits.ANSWERS.words}"
        return ""

    def drain(self) -> None:
        """Read the output that has arrived."""
        end = time.monotonic() + SLICE
        pieces = self.pipes.receive(time.monotonic() + self.pipes.late)
        while any(name == OUTPUT and data for name, data in pieces):
            self._take(pieces)
            pieces = self.pipes.receive(min(end, time.monotonic() + self.pipes.late))

    def _take(self, pieces: list[Piece]) -> bool:
        """Store the pieces read from the pipes; return whether more can come."""
        for name, data in pieces:
            if name == OUTPUT:
                self.print_count += len(data)
                self.print_sum += len(data)
                self.printed += data[: PRINTED - len(self.printed)]
            elif data:
                self.answer_sum += len(data)
                *lines, rest = data.split(b"\n")
                for line in lines:
                    self.lines.append(bytes(self.buffer + line))
                    self.buffer.clear()
                self.buffer += rest
            else:
                self.alive = False
        return self.alive

    def _loaded(self) -> dict[str, Any] | None:
        line = self._line(time.monotonic() + LOADING * limits.TIME.value + 10 * GRACE)
        message = parsed(line)
        if message.get("loaded") is True:
            return None
        failed = message.get("failed")
        if isinstance(failed, dict):
            self.close()
            return checked(failed)
        return self._ended(line, LOADING * limits.TIME.value, " while it was being loaded")

    def run(
        self,
        scenario: Scenario,
        looks: tuple[str, ...],
        hashed: bool = False,
        sparse: bool = False,
        detail: int | None = None,
        seconds: float = 2.0,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> Run:
        """Play a scenario; while the worker is busy with it, call ``meanwhile``. The worker must be ``alive``.

        ``sparse``: see `Bench.play`.
        """
        if self.asked is None or self.asked[0] is not scenario or detail is not None:
            self.settle()
            self.ask(scenario, looks, hashed, sparse, detail, seconds)
        assert self.asked is not None
        run, ticket, self.asked, self.answer_sum = Run(), self.asked[1], None, self._waiting()
        begin = time.monotonic()
        end = begin + seconds + self.grace
        meanwhile()
        while True:
            line = self._line(end)
            answer = f'{{"ticket":"{ticket}","step":{len(run.seen)},"seen":'.encode()
            more = len(run.seen) < len(scenario.steps)
            if more and line is not None and line.startswith(answer) and line.endswith(b"}}"):
                run.seen.texts.append(line[len(answer) : -1])
                continue
            message = parsed(line)
            if not message or message.get("ticket") != ticket:
                run.error = self._ended(line, seconds)
                run.end = run.error["kind"]
                return run
            done = message.get("end") == "done" and not more
            raised = message.get("end") == "raised" and isinstance(message.get("error"), dict)
            run.error = checked(message.get("error")) if done or raised else self._ended(b"?", seconds)
            run.end = message["end"] if done or raised else "damaged"
            self.spent += time.monotonic() - begin  # at least the processor time that this scenario took
            return run

    def ask(
        self,
        scenario: Scenario,
        looks: tuple[str, ...],
        hashed: bool = False,
        sparse: bool = False,
        detail: int | None = None,
        seconds: float = 2.0,
    ) -> None:
        """Send a scenario in advance: if the next `run` plays this scenario, it only reads the answers."""
        ticket = secrets.token_hex(8)
        order = {
            "ticket": ticket, "scenario": vars(scenario), "looks": looks, "hashed": hashed, "sparse": sparse,
            "seconds": seconds, "detail": detail,
        }  # fmt: skip
        self._send(order, time.monotonic() + GRACE)
        self.asked = scenario, ticket

    def settle(self) -> None:
        """Discard the answers to a scenario sent in advance. A worker that does not answer is terminated."""
        if self.asked is None:
            return
        (scenario, ticket), self.asked = self.asked, None
        end = time.monotonic() + max(2.0, len(scenario.steps) / 10) + GRACE
        while (message := parsed(self._line(end))).get("ticket") == ticket:
            if "end" in message:
                return
        self.close()

    def _ended(self, line: bytes | None, seconds: float, when: str = "") -> dict[str, Any]:
        """The reason why a worker stopped answering within ``seconds``, and the line that was running.

        "killed": whether it may have been killed by something else than the submission, for example for want of memory.
        "lost": whether the fork server has ended, which no submission can reach.
        "busy": whether it was late although it had the processor for almost all the time.
        """
        if line is not None and not from_watchdog(line):
            self.close()
            return {"kind": "damaged", "what": DAMAGED}
        traceback = self._traceback(line) if line is not None else ""
        late, exceeded = self.alive, self._exceeded()
        status = self._kill()
        place = stopped_at(traceback, self._file)
        self.close()
        if exceeded:
            return {"kind": "died", "what": f"your code was stopped{when}: {exceeded}"}
        if late or LATE in traceback:
            limit = f"the limit is {seconds:g} second{'s' * (seconds != 1)}{when}"
            more = f"{limits.TIME.variable}={4 * limits.TIME.value:g} allows four times as much"
            busy = {"busy": True} if self.used - self.spent >= BUSY * seconds else {}
            return {"kind": "timeout", "what": f"{limit}; {more}", "offer": more, **busy, **place}
        killed = {"killed": True} if status is None or status == -KILLED else {}
        if status is None and self.server is not None and self.server.process.poll() is not None:
            killed["lost"] = True
        return {"kind": "died", "what": f"your code ended its process{when} ({exit_reason(status)})", **killed, **place}

    def _file(self, name: str) -> str | None:
        """How the submission calls a file in a watchdog's traceback; None if the file isn't the submission's."""
        folder = escaped(self.scratch) + os.sep
        return self.files.get(name) or (name.removeprefix(folder).replace("\\", "/") if name.startswith(folder) else None)

    def _traceback(self, line: bytes) -> str:
        """The traceback that the watchdog writes among the answers, of which this is the first line."""
        end = time.monotonic() + self.grace
        while self.alive and self._waiting() < TRACEBACK and (pieces := self.pipes.receive(end)):
            self._take(pieces)
        return b"\n".join([line, *self.lines, self.buffer])[:TRACEBACK].decode(errors="replace")

    def _kill(self) -> int | None:
        """Kill the rest of the process group; return the exit status if the worker had already exited by itself."""
        if self.process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0 if self.alive else 1)
            status = self.process.returncode
            _kill_group(self.pid)
            self.process.wait()
            return status
        assert self.server is not None
        ended = None if self.alive else self.server.status(self.pid, 1.0, self.deadline)
        _kill_group(self.pid)
        if ended is None:
            return None
        status, self.used = ended
        return os.waitstatus_to_exitcode(status)

    def close(self) -> None:
        """Terminate the process. Its scratch folder is deleted by the one that made it."""
        if self.closed:
            return
        self.closed, self.alive = True, False
        _kill_group(self.pid)
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            scratch.discard(self.scratch)
        self.pipes.close()


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError, AttributeError):
        os.killpg(pid, signal.SIGKILL)


def _secret(exercise: Exercise) -> list[str]:
    """Files and folders that a submission must not read: the part under test, the checker, and its expected results."""
    modules = [PACKAGE / f"{module}.py" for module in PARTS[exercise.part].modules]
    folders = [PACKAGE / "check", PACKAGE / "data" / "golden", PACKAGE / "_course"]
    folders += [PACKAGE.parent / "tests", PACKAGE.parent / "exercises"]
    return [str(path) for path in (*modules, *folders, exercise.folder)]


class AnyPipes(Protocol):
    """What leads to a worker: see `Pipes`."""

    late: float

    def send(self, data: bytes, end: float) -> bool:
        """Send a request, trying until ``end`` (in `time.monotonic` time); return whether all of it was sent."""

    def receive(self, end: float) -> list[Piece]:
        """Wait for pieces until ``end`` at the latest; return those that came first."""

    def close(self) -> None:
        """Close all pipes."""


class Pipes:
    """The judge's ends of three pipes to a worker. ``theirs`` are the worker's ends: requests, answers, output.

    ``late``: seconds to wait for output after an answer. Anything printed before the answer is already in the pipe.
    """

    late = 0.0005

    def __init__(self, deadline: Deadline) -> None:
        self.deadline = deadline
        theirs, self.requests = os.pipe()
        self.files = {}
        self.files[ANSWERS], answers = os.pipe()
        self.files[OUTPUT], output = os.pipe()
        self.theirs = [theirs, answers, output]
        os.set_blocking(self.requests, False)

    def give_away(self) -> None:
        """Close the worker's ends in this process, after the worker has received them."""
        for file in self.theirs:
            os.close(file)
        self.theirs = []

    def send(self, data: bytes, end: float) -> bool:
        """Send a request, trying until ``end`` (in `time.monotonic` time); return whether all of it was sent."""
        left = memoryview(data)
        while left:
            wait = min(end, self.deadline.end) - time.monotonic()
            if wait <= 0:
                return False
            if not select.select([], [self.requests], [], min(wait, SLICE))[1]:
                continue
            try:
                left = left[os.write(self.requests, left) :]
            except BlockingIOError:
                continue
            except OSError:
                return False
        return True

    def receive(self, end: float) -> list[Piece]:
        """Wait for pieces until ``end`` at the latest; return those that came first."""
        names, ready = {file: name for name, file in self.files.items()}, list[int]()
        while not ready and names and (wait := min(end, self.deadline.end) - time.monotonic()) > 0:
            ready = select.select(list(names), [], [], min(wait, SLICE))[0]
        pieces = [(names[file], os.read(file, PIECE)) for file in ready]
        for name, data in pieces:
            if not data:
                os.close(self.files.pop(name))
        return pieces

    def close(self) -> None:
        """Close all pipes."""
        for file in (self.requests, *self.files.values(), *self.theirs):
            with contextlib.suppress(OSError):
                os.close(file)
        self.files, self.theirs, self.requests = {}, [], -1


class ThreadedPipes:
    """Like `Pipes`, for systems without `select` on pipes (Windows): a thread reads each of a process's standard files.

    ``late``: seconds to wait until a thread has delivered what it has read.
    """

    late = 0.01

    def __init__(self, process: subprocess.Popen[bytes], deadline: Deadline) -> None:
        assert process.stdin and process.stdout and process.stderr
        self.process, self.deadline, self.pieces = process, deadline, queue.Queue[Piece](64)
        for name, file in ((ANSWERS, process.stdout), (OUTPUT, process.stderr)):
            threading.Thread(target=self._read, args=(name, file.fileno()), daemon=True).start()

    def _read(self, name: str, file: int) -> None:
        data = b"?"
        while data:
            try:
                data = os.read(file, PIECE)
            except OSError:
                data = b""
            self.pieces.put((name, data))

    def _write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(OSError, ValueError):  # ValueError: the pipe has been closed
            self.process.stdin.write(data)
            self.process.stdin.flush()

    def send(self, data: bytes, end: float) -> bool:
        """Send a request, trying until ``end`` (in `time.monotonic` time); return whether all of it was sent."""
        thread = threading.Thread(target=self._write, args=(data,), daemon=True)
        thread.start()
        while thread.is_alive() and (wait := min(end, self.deadline.end) - time.monotonic()) > 0:
            thread.join(min(wait, SLICE))
        return not thread.is_alive()

    def receive(self, end: float) -> list[Piece]:
        """Wait for pieces until ``end`` at the latest; return those that came first."""
        while (wait := min(end, self.deadline.end) - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                return [self.pieces.get(timeout=min(wait, SLICE))]
        return []

    def close(self) -> None:
        """Close all pipes. The process must have ended."""
        with contextlib.suppress(queue.Empty):
            while True:
                self.pieces.get_nowait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]  # all three are pipes
