# SPDX-License-Identifier: GPL-2.0-only
"""Format entries, frames and numbers for the messages that learners read."""

from __future__ import annotations

import re
from typing import Any

from ..inspect.dump import FIRST_REF
from ..inspect.entries import spell
from ..inspect.names import entry_name
from ..mmu.bits import (
    IO_MARK,
    PFERR_FETCH,
    PFERR_PRESENT,
    PFERR_USER,
    PFERR_WRITE,
    PRESENT,
    SHADOW_USER,
    SHADOW_WRITABLE,
    USER,
    WRITABLE,
)
from ..mmu.memory import FIRST_SHADOW
from ..mmu.pool import NUM_PAGES

LONGEST = 160
"""The maximum length of an unformatted value, in characters."""

ERROR_BITS = ((PFERR_PRESENT, "present"), (PFERR_WRITE, "write"), (PFERR_USER, "user"), (PFERR_FETCH, "fetch"))

STRANGE_BITS = {"g": (9,), "s": (9, 10, 11), "i": ()}
"""By the kind of an entry's target: the bits that have no meaning in a shadow entry, in addition to 3, 4 and 7."""


def reference(number: int) -> str:
    """The name of the shadow entry with this ref (see `inspect.dump`)."""
    return entry_name(FIRST_REF + number)


def spte(value: Any) -> str:
    """The name of a shadow entry, given as its hpa // 8. Other integers are shown in hexadecimal, other values as repr."""
    if isinstance(value, int) and FIRST_SHADOW <= value >> 9 < FIRST_SHADOW + NUM_PAGES:
        return entry_name(value)
    return hex(value) if isinstance(value, int) else repr(value)


def frame(gfn: int, hfn: int | None = None) -> str:
    """Name a frame by its gfn, and its ``hfn`` if known. A negative number is the negated hfn of a frame without a gfn."""
    if gfn < 0:
        return f"hfn {-gfn:#x}"
    return f"gfn {gfn:#x}" if hfn is None else f"gfn {gfn:#x} (hfn {hfn:#x})"


def named(text: str) -> str:
    """``text`` with a note on each number in it that is an spte: "134668" becomes "134668 (spte #7:12)"."""
    return re.sub(r"(?<![\w.#:])\d+(?![\w.:])", lambda found: _with_name(found[0]), text)


def _with_name(number: str) -> str:
    inside = len(number) < 8 and FIRST_SHADOW <= int(number) >> 9 < FIRST_SHADOW + NUM_PAGES
    return f"{number} (spte {entry_name(int(number))})" if inside else number


def number(value: Any) -> str:
    """Format a number, in hexadecimal from 10 on. Anything else is shown unchanged."""
    return hex(value) if isinstance(value, int) and not isinstance(value, bool) and value > 9 else str(value)


def short(value: Any) -> str:
    """Return a text, or the repr of any other value, shortened if it is long."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def times(count: int) -> str:
    """Format a count: "once", "twice", "3 times"."""
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def is_call(words: str) -> bool:
    """Whether the text begins with a call, such as "add(#7:12)"."""
    return "(" in words.partition(" ")[0]


def more(count: int) -> str:
    """Format the number of further items: " (and 3 more)"; empty for 0."""
    return f" (and {count} more)" if count else ""


def kept(value: Any) -> str:
    """Format the stored form of a reverse map or of parents: None, one ref, or a list of lists of refs."""
    if isinstance(value, list):
        return f"[{', '.join(map(kept, value))}]"
    return "None" if value is None else reference(value)


def shadow_entry(entry: Any) -> str:
    """Format an entry of `inspect.dump.page_entries`: "present, user, to gfn 0x1f (the guest allows W U)"; None means 0."""
    if entry is None:
        return "empty"
    _, flags, kind, target = entry
    if kind == "x":
        if flags & PRESENT:
            return f"{spell(flags)}, to a host frame that has no gfn"
        return f"neither present nor 0 (flags {flags:#x}, frame {target:#x})"
    marks = [letter for bit, letter in ((SHADOW_WRITABLE, "W"), (SHADOW_USER, "U")) if flags & bit and kind != "s"]
    strange = [str(bit) for bit in (3, 4, 7, *STRANGE_BITS[kind]) if flags >> bit & 1]
    notes = [f"the guest allows {' '.join(marks)}"] * bool(marks)
    notes += [f"bit{'s' * (len(strange) > 1)} {', '.join(strange)} also set"] * bool(strange)
    if kind == "i":
        return f"an I/O entry for gfn {target:#x} ({'; '.join([spell(flags & ~IO_MARK), *notes])})"
    words = f"{spell(flags)}, to {f'gfn {target:#x}' if kind == 'g' else f'page #{target}'}"
    return f"{words} ({'; '.join(notes)})" if notes else words


def guest_entry(value: int) -> str:
    """Format an entry of a guest's table."""
    return f"{value:#x} ({spell(value)})" if value else "0"


def result_part(name: str, value: Any) -> str:
    """Format one item of a result, such as a walk's "error" or "rights"."""
    if value is None:
        return f"no {name}"
    if name == "error" and isinstance(value, int):
        return f"error {number(value)} ({', '.join(word for bit, word in ERROR_BITS if value & bit) or 'no bit set'})"
    if name == "rights" and isinstance(value, int) and not value & ~(WRITABLE | USER):
        letters = [letter for bit, letter in ((WRITABLE, "W"), (USER, "U")) if value & bit]
        return f"rights {value} ({' '.join(letters) or 'neither W nor U'})"
    if isinstance(value, list):
        return f"{name} [{', '.join(map(number, value))}]"
    return f"{name} {number(value)}"
