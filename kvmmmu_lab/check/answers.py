# SPDX-License-Identifier: GPL-2.0-only
"""What steps answered, and what they should have answered, as a part of a sentence."""

from __future__ import annotations

from collections import Counter
from typing import Any

from .compare import Difference

REPR = 160  # characters of what is told as it came


def result(difference: Difference) -> str:
    """What a step answers, and what it should."""
    if difference.expected is None and isinstance(difference.got, str):
        return difference.got
    right, mine = difference.expected, difference.got
    if isinstance(right, dict) and isinstance(mine, dict) and right != mine:
        both = [name for name in right if name in mine and right[name] != mine[name]]
        wrong = both or [name for name in {**right, **mine} if name not in right or name not in mine]
        answers = [f"{_told(name, mine.get(name))}, where {_told(name, right.get(name))} is right" for name in wrong]
        return f"it answers {'; '.join(answers[:3])}" + ("; ..." if len(answers) > 3 else "")
    if isinstance(right, list) and isinstance(mine, list) and all(isinstance(item, str) for item in right):
        return _complaints(right, mine)
    if isinstance(right, str) and isinstance(mine, str):
        return f"{mine}; right is: {right}"
    return f"it answers {short(mine)}; right is {short(right)}"


def _complaints(right: list[Any], mine: list[Any]) -> str:
    """What an audit doesn't report, or reports though nothing is wrong there."""
    told = [item if isinstance(item, str) else repr(item) for item in mine]
    should, made = Counter(right), Counter(told)
    missing, extra = sorted((should - made).elements()), sorted((made - should).elements())
    name, others = (missing or extra)[0], len(missing or extra) - 1
    more = f" (and {others} more)" if others else ""
    if missing:
        return f"it doesn't report {name}{more}" + (f", but it reports {extra[0]}" if extra else "")
    if name in right:
        return f"it reports {name} {told.count(name)} times, where {right.count(name)} is right"
    known = name.partition(" ")[0] in ("rmap", "wp", "map")
    return f"it reports {name}{more}, " + ("though nothing is wrong there" if known else "which is no complaint of an audit")


def _told(name: str, value: Any) -> str:
    """A part of a result, in words."""
    if value is None:
        return f"no {name}"
    if name == "error" and isinstance(value, int):
        bits = [word for bit, word in ((0, "present"), (1, "write"), (2, "user"), (4, "fetch")) if value >> bit & 1]
        return f"{name} {value:#x} ({', '.join(bits) or 'no bit set'})"
    if name == "rights" and value in (0, 2, 4, 6):
        return f"{name} {value} ({' '.join(flag for flag, bit in (('W', 2), ('U', 4)) if value & bit) or 'neither W nor U'})"
    if isinstance(value, list):
        return f"{name} [{', '.join(map(number, value))}]"
    return f"{name} {number(value)}"


def caused(difference: Difference) -> str:
    """What a step brings upon the guest."""
    (faults, *counts), (mine, *others) = difference.expected, difference.got
    if faults != mine:
        return f"the guest gets {_faults(mine)}; it should get {_faults(faults)}"
    return f"loads of a root and #GPs: {others}; it should be {counts}"


def _faults(faults: list[list[int]]) -> str:
    told = [f"a page fault at gva {gva:#x} with {_told('error', error)}" for gva, error in faults]
    return " and ".join(told) or "no page fault"


def times(count: Any) -> str:
    """How often, in words."""
    return {0: "not flushed", 1: "flushed once", 2: "flushed twice"}.get(count, f"flushed {count} times")


def number(value: Any) -> str:
    """A number as messages write it."""
    return hex(value) if isinstance(value, int) and value > 9 else str(value)


def short(value: Any) -> str:
    """What came, cut where it is long."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= REPR else f"{text[:REPR]}..."
