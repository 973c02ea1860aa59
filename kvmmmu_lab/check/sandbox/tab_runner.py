# SPDX-License-Identifier: GPL-2.0-only
"""The worker in a browser tab: a `runner.Session` whose messages are those of a web worker (see `tab`).

Python's own watchdog needs a thread, which there is not. Instead, Pyodide asks between two instructions whether the time is
over, and then sends SIGINT, which leaves the submission with an exception. A loop in C code, such as
``sum(itertools.count())``, doesn't notice: the judge ends the worker, but can't name the line.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import cloudpickle

from . import limits, loading
from .limits import NotAllowed
from .protocol import LATE, escaped
from .runner import Session

Say = Callable[[str, str, bool], None]
"""Sends a text: "answers", "output" or "over" (a scenario has been stopped, and another can be played), the text, and whether
it is the judge's turn after it."""

KIT = re.compile(r"(kvmmmu_lab\.mmu|builtins)(\.|$)")
"""The names of the modules whose names are restored before a submission is loaded again."""

AGAIN = 0.3
"""The seconds in which a submission that is late has to let go."""

BROWSER = re.compile(r"(js|_?pyodide\w*|piplite|micropip)(\.|$)")
"""The names of modules that lead to the browser: to the network, and to the page."""


class Late(BaseException):
    """The submission is late. It is not an Exception, so that ``except Exception`` does not hide it."""


def begin(say: Say, watch: Callable[[float], None], end: Callable[[int], None]) -> Callable[[str], None]:
    """Get ready for a submission; return the function that hears the judge's requests, of which the first is the submission.

    ``watch`` sends SIGINT after a number of seconds, or not if it is negative; ``end`` ends this worker with an exit status.
    """
    worker = TabSession(say, watch, end)
    signal.signal(signal.SIGINT, worker.stop)
    return worker.hear


class TabSession:
    """What a worker does in a browser tab. It loads a submission again when asked to, as if it was new: that takes much less
    time than to start another Pyodide."""

    def __init__(self, say: Say, watch: Callable[[float], None], end: Callable[[int], None]) -> None:
        self.say, self.watch, self.end = say, watch, end
        self.encode = json.JSONEncoder(separators=(",", ":")).encode
        self.session: Session | None = None
        self.late = False
        self.before: dict[ModuleType, dict[str, Any]] = {}

    def tell(self, message: dict[str, Any]) -> None:
        """Send a message to the judge."""
        self.say("answers", f"{self.encode(message)}\n", "step" not in message)

    def hear(self, line: str) -> None:
        """Do what the judge requests: load a submission, or play a scenario."""
        request = json.loads(line)
        try:
            if "units" in request:
                self._load(request)
            elif self.session is not None:
                self.session.play(request)
        except Late:
            pass  # between two scenarios
        self.watch(-1)
        if self.late:
            self.late = False
            self.session = None  # the judge may have sent the next scenario in advance: nobody waits for its answers
            self.say("over", "", True)

    def _load(self, request: dict[str, Any]) -> None:
        limits.adopt(request["limits"])
        os.makedirs(request["scratch"], exist_ok=True)
        new = not self.before
        self.session = Session(request, self.tell, lambda seconds: self.watch(-1 if seconds is None else seconds))
        if new:
            _close_browser()
            self.session.enter()
            self.before = {module: dict(vars(module)) for name, module in sys.modules.items() if KIT.match(name)}
        else:
            self._restore(request)
        self.session.load()

    def _restore(self, request: dict[str, Any]) -> None:
        """Undo what the submission has done, as far as possible: what it has changed inside objects of the kit stays."""
        for module, names in self.before.items():
            now = vars(module)
            for name in [name for name in now if name not in names]:
                del now[name]
            now.update(names)
        folder = request["scratch"]
        os.chdir(folder)
        os.environ.clear()
        sys.path[:] = [path for path in sys.path if path != folder]
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", None)).startswith(folder + os.sep):
                del sys.modules[name]
        cloudpickle.cloudpickle._DYNAMIC_CLASS_TRACKER_BY_ID.clear()  # else a class is not built again, but found
        for place, folders, files in os.walk(folder, topdown=False):
            for name in files:
                os.remove(os.path.join(place, name))
            for name in folders:
                os.rmdir(os.path.join(place, name))
        loading.lay_out(request["files"], Path(folder))

    def stop(self, number: int, frame: FrameType | None) -> None:
        """Hear the signal that the submission is late: tell where it is, and leave it. If it goes on nevertheless, end."""
        if self.late:
            self.end(1)
            while True:  # until the host has ended this worker
                pass
        self.late = True
        self.say("answers", f"{LATE})\n{''.join(_lines(frame))}", False)
        self.watch(AGAIN)
        raise Late("it is late")


def _lines(frame: FrameType | None) -> list[str]:
    """The lines of a traceback as Python's watchdog writes them: the innermost frame first."""
    lines: list[str] = []
    while frame is not None and len(lines) < 100:
        code = frame.f_code
        lines.append(f'  File "{escaped(code.co_filename)}", line {frame.f_lineno or 0} in {escaped(code.co_name)}\n')
        frame = frame.f_back
    return lines


def _close_browser() -> None:
    """Refuse the modules that lead to the browser from now on."""
    for name in [name for name in sys.modules if BROWSER.match(name)]:
        del sys.modules[name]

    def check(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "import" and BROWSER.match(arguments[0]):
            raise NotAllowed(f"your code tried to reach the browser (import {arguments[0]})")

    sys.addaudithook(check)
