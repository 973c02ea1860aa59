# SPDX-License-Identifier: GPL-2.0-only
"""The judge's side of a worker in a browser tab, where there are no processes: a second Pyodide runs the submission.

The kernel, in which the judge runs, can't hear messages while it runs Python. So a *host*, a web worker that is never busy,
starts and ends the others (``live/judge_host.js``). The kernel sends it orders, and asks for answers with a request that the
service worker lets wait until the host has one. One worker waits for the next submission, so that a check begins at once::

    kernel to host   {"do": "open", "run"}; {"do": "send", "run", "text"}, a line of `protocol`; {"do": "close", "run"}
    kernel asks      {"run", "seen", "state", "wait"}: how many pieces it has seen, in which state the worker was, and how many
                     milliseconds it waits for more
    host answers     {"pieces": [[name, text]], "state", "status", "why"}; "answers" and "output" are bytes as characters 0 to
                     255, "over" says that a scenario has been stopped, and that the worker can load a submission again
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Sequence
from typing import Any, Protocol

from ...exercises import Exercise
from ..deadline import Deadline
from ..submission import Submission
from .client import ANSWERS, OUTPUT, Piece, Worker
from .forkserver import WorkerError
from .limits import PREFIX
from .protocol import parsed

SCRATCH = f"/tmp/{PREFIX}submission"
"""The folder of a submission in its worker, whose files are in memory."""

NO_WALL = "a browser tab has no processes"
MOST_WAIT = 10.0
"""The maximum time, in seconds, that one question waits. Browsers end a service worker that is busy for minutes."""

OVER = "over"
START = 180.0
"""The time, in seconds, in which a worker has to be ready. It does not count as the check's time."""


class Host(Protocol):
    """The way to the host; ``runtime.js`` provides it."""

    def post(self, order: str) -> None:
        """Send an order."""

    def ask(self, question: str) -> str:
        """Return the answer; "" if nobody answers."""


class NoHost(WorkerError):
    """Nobody answers for the workers of this tab."""


def find_host() -> Host:
    """Return the way to this tab's host. Raises NoHost."""
    import js  # there only in a browser tab

    host: Host | None = getattr(js, "kvmmmu_judge", None)
    if host is None:
        raise NoHost("this page has started no host for workers")
    if parsed(host.ask(json.dumps({"run": 0, "wait": 0})).encode()).get("state") != "listening":
        raise NoHost("the browser has no service worker for this page, as in a private window")
    return host


class TabPipes:
    """Like `Pipes`, for a worker of this tab. Anything printed before an answer arrives with it.

    ``state`` is "starting", "ready", "ended" or "failed"; ``why``: the reason for the last; ``status``: the exit status.
    """

    late = 0.0
    numbers = itertools.count(1)

    def __init__(self, host: Host, deadline: Deadline) -> None:
        self.host, self.deadline = host, deadline
        self.run, self.seen, self.state, self.why = next(self.numbers), 0, "starting", ""
        self.status: int | None = None
        self.over = False
        self._order("open")

    def _order(self, do: str, **more: str) -> None:
        self.host.post(json.dumps({"do": do, "run": self.run, **more}))

    def wait_until_ready(self) -> None:
        """Wait until the worker is ready. The time for this is no part of the check's. Raises WorkerError."""
        begin = time.monotonic()
        early: list[Piece] = []
        while self.state == "starting" and time.monotonic() - begin < START:
            early += self._ask(MOST_WAIT)
        self.deadline.end += time.monotonic() - begin
        if self.state != "ready":
            raise WorkerError(f"the browser can't start a Python for your code: {self.why or f'none after {START:g} seconds'}")

    def send(self, data: bytes, end: float) -> bool:
        """Send a request."""
        self._order("send", text=data.decode("latin-1"))
        return True

    def receive(self, end: float) -> list[Piece]:
        """See `Pipes.receive`."""
        while (wait := min(end, self.deadline.end) - time.monotonic()) > 0:
            if pieces := self._ask(min(wait, MOST_WAIT)):
                return pieces
            if self.state != "ready" or self.over:
                return [(ANSWERS, b"")]
        return []

    def _ask(self, wait: float) -> list[Piece]:
        question = {"run": self.run, "seen": self.seen, "state": self.state, "wait": int(wait * 1000) + 1}
        answer = parsed(self.host.ask(json.dumps(question)).encode())
        if not isinstance(answer.get("state"), str):
            raise NoHost("the browser has ended the service worker of this page: reload the page")
        self.state, self.why = answer["state"], str(answer.get("why") or "")
        self.status = answer["status"] if isinstance(answer.get("status"), int) else None
        self.seen += len(answer["pieces"])
        self.over |= any(name == OVER for name, _ in answer["pieces"])
        return [(name, text.encode("latin-1")) for name, text in answer["pieces"] if name in (ANSWERS, OUTPUT)]

    def close(self) -> None:
        """End the worker."""
        self._order("close")


class Tab:
    """The workers of one check in this browser tab. One that is no longer used loads the submission again for the next one."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.idle: TabPipes | None = None

    def pipes(self, deadline: Deadline) -> TabPipes:
        """What leads to a worker that is ready. Raises WorkerError."""
        found, self.idle = self.idle or TabPipes(self.host, deadline), None
        if found.state == "starting":
            found.wait_until_ready()
        return found

    def close(self) -> None:
        """End the worker that is not used."""
        if self.idle is not None:
            self.idle.close()
            self.idle = None


class TabWorker(Worker):
    """A `Worker` in a browser ``tab``."""

    def __init__(
        self, tab: Tab, exercise: Exercise, submission: Submission, deadline: Deadline, *, secret: Sequence[str] = ()
    ) -> None:
        self.tab, self.lost = tab, False
        super().__init__(exercise, submission, None, deadline, secret=secret)

    def _start(self, request: dict[str, Any]) -> None:
        self.scratch = SCRATCH
        self.pipes = self.way = self.tab.pipes(self.deadline)
        self._send(request | {"scratch": self.scratch, "walled": False}, self.deadline.end)

    def _ended(self, line: bytes | None, seconds: float, when: str = "") -> dict[str, Any]:
        self.lost = True  # unless it says that it has stopped the submission
        return super()._ended(line, seconds, when)

    def _kill(self) -> int | None:
        return self.way.status

    def close(self) -> None:
        """Give the worker back to the tab; end it if it is still busy."""
        if self.closed:
            return
        busy = self.lost or self.asked is not None or self._waiting()
        usable = self.way.state == "ready" and (self.way.over or (self.alive and not busy))
        self.closed, self.alive = True, False
        if usable and self.tab.idle is None and not self._exceeded():
            self.way.over = False
            self.tab.idle = self.way
        else:
            self.way.close()
