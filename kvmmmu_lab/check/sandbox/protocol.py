# SPDX-License-Identifier: GPL-2.0-only
"""Messages between the judge and the processes that run submissions: JSON, one per line::

    judge to fork server   {"name", "units", "objects", "files", "notebook", "part", "defines", "scratch", "secret", "limits",
                           "loading", "seconds"}
                           with three files: requests, answers, output
    fork server to judge   {"pid"}; later {"pid", "status", "seconds"} when that worker has ended: its processor time
    judge to worker        {"ticket", "scenario", "looks", "hashed", "sparse", "seconds", "detail"}
    worker to judge        {"loaded"} or {"failed"}; then {"ticket", "step", "seen"} for each step; {"ticket", "end"};
                           the traceback of its watchdog, if it terminates the worker

Everything a worker sends is untrusted: it is only parsed as data.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from typing import Any

from ...files import NotJson, parse_json
from ...printable import printable

LOADING = 3.0
"""The time limit, in seconds, for loading a submission."""

LATE, FATAL = "Timeout (", "Fatal Python error"
"""What a watchdog (`faulthandler`) writes first when it terminates a worker that is late, and when the interpreter crashes."""


def plain(value: Any) -> Any:
    """Convert ``value`` to JSON data: numbers of up to 64 bits, text and lists are kept; others become text, shortened."""
    if type(value) is int and value.bit_length() <= 64:  # first, because almost all are
        return value
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if value is None or isinstance(value, bool | str):
        return value
    try:
        number = int(value.__index__())
    except (AttributeError, TypeError):
        return repr(value)[:200]
    return number if number.bit_length() <= 64 else f"{number:#x}"[:200]


def parsed(text: bytes | None) -> dict[str, Any]:
    """The JSON object in a text from a worker; an empty one if it holds anything else."""
    try:
        message = parse_json(text or b"null", integer=_integer)
    except NotJson:
        return {}
    return message if isinstance(message, dict) else {}


def _integer(digits: str) -> int | str:
    """An integer of a worker. A larger one than 64 bits hold becomes text: it can take very long to look up many of those."""
    if len(digits) <= 20:
        return int(digits)
    return f"{int(digits):#x}" if len(digits) < 100 else f"a number of {len(digits)} digits"


def checked(error: Any) -> dict[str, Any]:
    """The error that a worker reports, reduced to a few short texts and numbers."""
    if not isinstance(error, dict):
        return {}
    return {
        str(key)[:20]: printable(value[:500]) if isinstance(value, str) else value
        for key, value in list(error.items())[:10]
        if isinstance(value, str | int)
    }


FRAME = re.compile(r'^  File "(.*)", line (\d{1,9}) in (.{1,200})', re.MULTILINE)


def from_watchdog(line: bytes) -> bool:
    """Whether a watchdog wrote this line. An answer that it interrupts may stand before its words."""
    return LATE.encode() in line or FATAL.encode() in line


def stopped_at(traceback: str, file: Callable[[str], str | None]) -> dict[str, Any]:
    """The "file", "line" and "function" of the submission's innermost frame in a watchdog's traceback; empty if it has none.

    Those of the outermost frame, of the first thread, are "caller_file", "caller_line" and "caller". ``file`` returns how the
    submission calls a file, or None. The watchdog writes names with escape sequences.
    """
    frames = [(file(name), int(line), function) for name, line, function in FRAME.findall(traceback)]
    own = [frame for frame in frames if frame[0] is not None]
    if not own:
        return {}
    inner, outer = dict(zip(("file", "line", "function"), own[0], strict=True)), own[-1]
    return inner | dict(zip(("caller_file", "caller_line", "caller"), outer, strict=True))


def escaped(name: str) -> str:
    """A file name as a watchdog writes it."""
    return name.encode("ascii", "backslashreplace").decode()


def exit_reason(status: int | None) -> str:
    """Describe how a process ended, given its exit status, or None if the judge had to stop it."""
    if status is None:
        return "it had to be stopped"
    return f"exit status {status}" if status >= 0 else f"signal {-status} ({signal.strsignal(-status)})"
