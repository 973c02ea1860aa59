# SPDX-License-Identifier: GPL-2.0-only
"""What a bench sees (`check.bench`), in words: frames, entries, whole looks line by line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..read.entries import spell


def ref(number: int) -> str:
    """A reference to a shadow entry."""
    return f"#{number >> 9}:{number & 511}"


def frame(gfn: int) -> str:
    """A frame by its gfn; one that is no guest memory is told by its host number, made negative."""
    return f"host frame {-gfn:#x}" if gfn < 0 else f"frame {gfn:#x}"


def entry_words(entry: Any) -> str:
    """An entry of `read.state.page_entries`, in words."""
    if entry is None:
        return "empty"
    _, flags, kind, target = entry
    other = [str(bit) for bit in (3, 4, 7, *((9, 10, 11) if kind == "s" else (9,) if kind == "g" else ())) if flags >> bit & 1]
    also = f"; bit{'s' * (len(other) > 1)} {', '.join(other)} set, too" if other and kind in "gsi" else ""
    if kind == "i":
        allowed = f"; the guest allows {' '.join(marks)}" if (marks := _marks(flags)) else ""
        return f"an I/O mark for gfn {target:#x} ({spell(flags & ~(1 << 9))}{allowed}){also}"
    leads = {"g": f"leads to gfn {target:#x}", "s": f"leads to page #{target}"}.get(kind)
    if leads is None:
        here = f"(flags {flags:#x}, frame {target:#x})"
        return f"{spell(flags)}; leads nowhere {here}" if flags & 1 else f"not present, but not 0 either {here}"
    marks = _marks(flags)
    return f"{spell(flags)}; {leads}" + (f"; the guest allows {' '.join(marks)}" if marks and kind == "g" else "") + also


def _marks(flags: int) -> list[str]:
    return [word for bit, word in ((10, "W"), (11, "U")) if flags >> bit & 1]


def listed(look: str, value: Any) -> list[str] | None:
    """What a look shows, in words, a line each; None where nobody knows better than to print it."""
    tell = LISTED.get(look)
    try:
        return tell(value) if tell is not None else None
    except Exception:  # what came from a worker needn't be of the form that a bench gives
        return None


def _form(value: Any) -> list[str]:
    if value is None:
        return ["it doesn't say"]
    kept, free = value
    maps = [f"{frame(gfn)}: {_row(head)}" for gfn, head in kept] or ["no map"]
    return [*maps, f"descriptors set aside: {free}"]


def _row(head: Any) -> str:
    """One entry that is kept directly, or what stands in each descriptor."""
    if isinstance(head, int):
        return ref(head)
    return f"[{', '.join('[' + ', '.join(map(ref, places)) + ']' for places in head)}]"


def _pages(value: Any) -> list[str]:
    return [
        f"#{id}: level {role >> 4 & 15}, gfn {gfn:#x}, role {role:#x}, root x{count}, slots {slots:#x}"
        for id, gfn, role, count, slots in value
    ]


MMU = (
    "levels of the guest", "levels of the shadow", "root", "number of free pages", "gfn of the last page-table write",
    "count of writes in a row", "CR0", "CR3", "CR4", "EFER", "cached PDPTEs",
)  # fmt: skip
"""The numbers of `read.state.mmu_part`."""


COUNTS = (*MMU[:2], MMU[3], MMU[5])
"""Those that are no addresses and no registers."""


def mmu_value(name: str, value: Any) -> str:
    """One of these numbers; counts are decimal."""
    return hex(value) if isinstance(value, int) and name not in COUNTS else str(value)


def _mmu(value: Any) -> list[str]:
    return [f"{name}: {mmu_value(name, item)}" for name, item in zip(MMU, value, strict=True)]


LISTED: dict[str, Callable[[Any], list[str]]] = {
    "rmap": lambda value: [f"{frame(gfn)}: {', '.join(map(ref, refs))}" for gfn, refs in value],
    "frames": lambda value: [*map(frame, value)],
    "sptes": lambda value: [f"#{page}:{entry[0]} {entry_words(entry)}" for page, entries in value for entry in entries],
    "order": lambda value: [*map(str, value)],
    "form": _form,
    "pages": _pages,
    "mmu": _mmu,
    "free": lambda value: [*(f"#{id}" for id in value[0]), f"then {value[1]} in their first order"],
}
