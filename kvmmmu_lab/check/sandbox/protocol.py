# SPDX-License-Identifier: GPL-2.0-only
"""What is heard from a worker and about it, as data and in words. None of it is believed."""

from __future__ import annotations

import json
import re
import signal
from typing import Any


def object_in(line: bytes | None) -> dict[str, Any]:
    """A line of JSON that is an object; else an empty one."""
    try:
        message = json.loads(line or b"null")
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}


def checked(error: Any) -> dict[str, Any]:
    """What a worker says was raised: short texts and numbers, and nothing else."""
    if not isinstance(error, dict):
        return {}
    return {
        str(key)[:20]: printable(value[:500]) if isinstance(value, str) else value
        for key, value in list(error.items())[:10]
        if isinstance(value, str | int)
    }


def printable(text: str) -> str:
    """Text without what a terminal would obey."""
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in text)


def where(stands: str, name: str) -> dict[str, Any]:
    """Line and function of the submission that a watchdog's traceback names first, which is the innermost."""
    found = re.search(rf'File "{re.escape(name)}", line (\d+) in (\S+)', stands)
    return {"line": int(found[1]), "function": found[2]} if found else {}


def how(status: int | None) -> str:
    """How a process ended, by its exit status; None: it was stopped."""
    if status is None:
        return "it had to be stopped"
    if status < 0:
        return f"it was killed by signal {-status} ({signal.strsignal(-status)})"
    return f"it left with exit status {status}"


def plain(value: Any) -> Any:
    """Numbers, text and lists of them, so that they can be told; what is none of these, as its repr."""
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if value is None or isinstance(value, bool | str):
        return value
    try:
        return int(value.__index__())
    except (AttributeError, TypeError):
        return repr(value)[:200]
