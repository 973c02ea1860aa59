# SPDX-License-Identifier: GPL-2.0-only
"""The names of entries, pages and frames in sentences and pictures."""

from __future__ import annotations

import re
from collections.abc import Callable

from ..errors import InputError
from ..mmu.bits import BASE_MASK, PAGE_SHIFT, PRESENT
from ..mmu.machine import Machine
from ..mmu.memory import FIRST_SHADOW, PAE_ROOT
from ..mmu.pool import NUM_PAGES
from ..mmu.shadow import entry_name
from .entries import guest_target, shadow_target
from .keys import (
    BUCKET,
    CHAIN,
    DESCRIPTOR,
    FRAME,
    GUEST,
    HOST_FRAME,
    MEMORY,
    PARTS,
    PDPT,
    PIECES,
    ROOT,
    SHADOW,
    Key,
    key_of,
)

LEVELS = {4: "PML4", 3: "PDPT", 2: "PD", 1: "PT"}
"""The names of the guest's tables, by level."""


def parse_entry_name(name: str, argument: str = "spte") -> int:
    """The shadow entry with this name, as its hpa // 8; the "#" is optional. The inverse of `entry_name`.

    Raises InputError for any other text; the message calls it ``argument``.
    """
    found = re.fullmatch(r"#?(\d{1,3}):(\d{1,3})", name, re.ASCII) if isinstance(name, str) else None
    if found is None or int(found[1]) >= NUM_PAGES or int(found[2]) > 511:
        raise InputError(argument, name, "a shadow entry's name, such as '#248:457': page 0 to 255, entry 0 to 511")
    return FIRST_SHADOW + int(found[1]) << 9 | int(found[2])


def key_name(key: Key) -> str:
    """The name of anything that has a key: "#248:457", "entry 457 of the guest table in gfn 0x61c9", "gfn 0x29a5".

    A key that a picture made up, such as "l:free", is returned as it is.
    """
    table, row = key.table, key.row
    kind, *parts = table.split(":")
    known = _TABLES.get(kind)
    if known is None or len(parts) != PARTS.get(kind, 2) - 1:
        return key
    name = "the guest's PDPT" if table == PDPT else known(*parts)
    if not row:
        return name
    if kind == SHADOW:
        return entry_name(key.spte) if row.isdigit() else f"the {row.replace('-', ' ')} of {name}"
    if kind == PIECES:
        return f"gfn {key.gfn + int(row):#x}"
    if table == PDPT or kind in _ROWS:
        return f"{'PDPTE' if table == PDPT else _ROWS[kind]} {row}"
    if kind == MEMORY:
        return f"the pages of {name} from page {row} on"
    return f"the reverse map of {name}" if row == "rmap" else f"entry {row} of {name}"


def _slot(number: str) -> str:
    return f"alias {number[1:]}" if number.startswith("a") else f"memory slot {number}"


_TABLES: dict[str, Callable[..., str]] = {
    SHADOW: "shadow page #{}".format,
    GUEST: "the guest table in gfn 0x{}".format,
    ROOT: "the root slots".format,
    FRAME: "gfn 0x{}".format,
    HOST_FRAME: "host frame 0x{}".format,
    DESCRIPTOR: "descriptor {1} of the reverse map of frame 0x{0}".format,
    CHAIN: "parent chain {1} of shadow page #{0}".format,
    BUCKET: "the hash of shadow pages".format,
    MEMORY: _slot,
    PIECES: "the large page at gfn 0x{}".format,
}
"""The name of a table, by the kind of its key. It gets the parts of the key."""

_ROWS = {ROOT: "root slot", BUCKET: "hash bucket"}
"""The names of rows that need no name of their table."""


class Names:
    """The names of a VM's entries, frames and roots, given its current memory slots."""

    def __init__(self, vm: Machine) -> None:
        self.vm = vm

    def entry(self, hpa: int) -> str:
        """The name of the entry at a host address: "#248:457", "root slot 3", "entry 457 of the guest table in gfn 0x61c9"."""
        key = key_of(self.vm, hpa)
        return key_name(key) if key.row else f"host address {hpa:#x}"

    def spte(self, spte: int) -> str:
        """The name of an entry, given as its hpa // 8."""
        return self.entry(spte << 3)

    def frame(self, hfn: int) -> str:
        """The name of a host frame: "gfn 0x29a5", or "host frame 0x2b45" if no slot has it."""
        gfn = self.vm.memory.gfns[hfn]
        return f"host frame {hfn:#x}" if gfn is None else f"gfn {gfn:#x}"

    def gpa(self, hpa: int) -> str:
        """The name of the byte of guest memory at a host address: "gpa 0x29a5123"."""
        gfn = self.vm.memory.gfns[hpa >> PAGE_SHIFT]
        return f"host address {hpa:#x}" if gfn is None else f"gpa {gfn << PAGE_SHIFT | hpa & 0xFFF:#x}"

    def target(self, entry: int) -> str:
        """The target of a shadow entry: "#250", "gfn 0x29a5", "nowhere"."""
        if not entry & PRESENT:
            return "nowhere"
        hfn = (entry & BASE_MASK) >> PAGE_SHIFT
        return f"#{hfn - FIRST_SHADOW}" if FIRST_SHADOW <= hfn < FIRST_SHADOW + NUM_PAGES else self.frame(hfn)

    def leads(self, hpa: int, old: int, new: int) -> str:
        """The target of the entry at ``hpa`` after a change from ``old`` to ``new``; empty if it has no target or still the
        same one."""
        if key_of(self.vm, hpa).kind == GUEST:
            before, now = (guest_target(self.vm, 1, entry) for entry in (old, new))
        else:
            before, now = (shadow_target(self.vm, entry) for entry in (old, new))
        return now if new & PRESENT and now != before else ""

    def root(self, hpa: int) -> str:
        """The name of the table at the root address ``hpa``: "#251" or "the root slots"."""
        return "the root slots" if hpa >> PAGE_SHIFT == PAE_ROOT else self.target(hpa | PRESENT)
