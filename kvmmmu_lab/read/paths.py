# SPDX-License-Identifier: GPL-2.0-only
"""Where an address leads, in the guest's tables and in the shadow tables, without changing either.

The engine's own walk sets accessed bits and stops where rights end; a picture must do neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ..mmu.arena import BAD_PAGE, FIRST_SHADOW, PAE_ROOT
from ..mmu.bits import (
    BASE_MASK,
    CR4_PSE,
    INVALID_PAGE,
    LARGE,
    NONPAGING,
    PAGE_SHIFT,
    PAGE_SIZE,
    PRESENT,
    ROOT_32,
    ROOT_64,
    ROOT_PAE,
    guest_format,
    shadow_index,
)
from ..mmu.machine import Machine
from ..mmu.pool import NUM_PAGES

ROOTS = "r"
"""Key of the four root slots that stand above a three-level shadow."""

PDPT = "g:pdpt"
"""Key of a PAE guest's four topmost entries, which the processor holds in registers."""


@dataclass(frozen=True)
class Step:
    """One entry on a path: ``table`` is the key of its table, ``number`` that table's gfn or shadow page id."""

    table: str
    level: int
    number: int
    index: int
    entry: int

    @property
    def key(self) -> str:
        """Key of the entry."""
        return f"{self.table}:{self.index}"


class Path(NamedTuple):
    """The entries that an address selects, root first, and the host frame that it reaches (or None).

    ``gfn``: what the last entry of a guest path names, memory or not.
    """

    steps: list[Step]
    hfn: int | None
    gfn: int | None = None


def key_of(vm: Machine, hpa: int) -> str:
    """Key of the entry at a host address: of a shadow page, of the root slots, or of a guest frame."""
    hfn, index = hpa >> PAGE_SHIFT, hpa % PAGE_SIZE >> 3
    if FIRST_SHADOW <= hfn < FIRST_SHADOW + NUM_PAGES:
        return f"s:{hfn - FIRST_SHADOW}:{index}"
    if hfn == PAE_ROOT:
        return f"{ROOTS}:{index}"
    gfn = vm.memory.gfns[hfn]
    return "?" if gfn is None else f"g:{gfn:x}:{hpa % PAGE_SIZE // guest_format(vm.root_level).size}"


def frame_key(vm: Machine, hfn: int) -> str:
    """Key of the memory frame that is host frame hfn."""
    gfn = vm.memory.gfns[hfn]
    return f"h:{hfn:x}" if gfn is None else f"f:{gfn:x}"


def guest_entry(vm: Machine, gfn: int, index: int) -> int:
    """An entry of the guest table in gfn; 0 where there is no memory."""
    hfn = vm.memory.frames[gfn]
    if guest_format(vm.root_level).size == 4:
        return vm.memory.halves[(BAD_PAGE if hfn is None else hfn) << 10 | index]
    return vm.memory.words[(BAD_PAGE if hfn is None else hfn) << 9 | index]


def maps_large(vm: Machine, level: int, entry: int) -> bool:
    """Whether a guest entry maps a large page."""
    return level == 2 and bool(entry & LARGE) and (vm.root_level != ROOT_32 or bool(vm.cpu.cr4 & CR4_PSE))


def guest_path(vm: Machine, gva: int) -> Path:
    """gva's path in the guest's tables, up to its frame or to the first entry that isn't present; empty without paging."""
    if vm.root_level == NONPAGING:
        gfn = gva >> PAGE_SHIFT
        return Path([], vm.memory.frames[gfn], gfn)
    steps, level, root = list[Step](), vm.root_level, vm.cpu.cr3
    if level == ROOT_PAE:
        root = vm.cpu.pdptrs[gva >> 30 & 3]
        steps.append(Step(PDPT, 3, vm.cpu.cr3 >> PAGE_SHIFT, gva >> 30 & 3, root))
        if not root & PRESENT:
            return Path(steps, None)
        level = 2
    form = guest_format(vm.root_level)
    gfn = (root & form.base) >> PAGE_SHIFT
    while True:
        index = form.index(gva, level)
        entry = guest_entry(vm, gfn, index)
        steps.append(Step(f"g:{gfn:x}", level, gfn, index, entry))
        if not entry & PRESENT:
            return Path(steps, None)
        gfn = (entry & form.base) >> PAGE_SHIFT
        if maps_large(vm, level, entry):
            within = (1 << form.index_bits) - 1
            gfn = gfn & ~within | gva >> PAGE_SHIFT & within
        elif level > 1:
            level -= 1
            continue
        return Path(steps, vm.memory.frames[gfn], gfn)


def shadow_path(vm: Machine, gva: int) -> Path:
    """gva's path in the shadow tables, as far as the processor gets."""
    steps, level, words = list[Step](), vm.shadow_root_level, vm.memory.words
    if vm.root == INVALID_PAGE:
        return Path(steps, None)
    hfn = vm.root >> PAGE_SHIFT
    if vm.root_level != ROOT_64:
        slot = gva >> 30 & 3
        entry = words[PAE_ROOT << 9 | slot]
        steps.append(Step(ROOTS, 3, PAE_ROOT, slot, entry))
        if entry == INVALID_PAGE or not entry & PRESENT:
            return Path(steps, None)
        level, hfn = 2, (entry & BASE_MASK) >> PAGE_SHIFT
    while FIRST_SHADOW <= hfn < FIRST_SHADOW + NUM_PAGES:
        index = shadow_index(gva, level)
        entry = words[hfn << 9 | index]
        steps.append(Step(f"s:{hfn - FIRST_SHADOW}", level, hfn - FIRST_SHADOW, index, entry))
        if not entry & PRESENT:
            return Path(steps, None)
        hfn, level = (entry & BASE_MASK) >> PAGE_SHIFT, level - 1
        if not level:
            return Path(steps, hfn)
    return Path(steps, None)
