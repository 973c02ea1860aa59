# SPDX-License-Identifier: GPL-2.0-only
"""The path of an address through the guest's tables and the shadow tables, found without changing them.

The engine's own walk sets accessed bits and stops at the first entry that denies the access. These functions do neither.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..mmu.bits import (
    BASE_MASK,
    CR4_PSE,
    INVALID_PAGE,
    LARGE,
    NONPAGING,
    PAGE_SHIFT,
    PRESENT,
    ROOT_32,
    ROOT_64,
    ROOT_PAE,
    guest_format,
    shadow_index,
)
from ..mmu.machine import Machine
from ..mmu.memory import BAD_PAGE, FIRST_SHADOW, PAE_ROOT
from ..mmu.pool import NUM_PAGES, ShadowPage
from ..mmu.shadow import page_of
from .keys import PDPT, ROOTS, Key, guest_table, shadow_page


@dataclass(frozen=True)
class PathEntry:
    """One entry on a path. ``table``: the key of its table; ``number``: the gfn or the shadow page id of that table."""

    table: Key
    level: int
    number: int
    index: int
    entry: int

    @property
    def key(self) -> Key:
        """Key of the entry."""
        return self.table.entry(self.index)


class Path(NamedTuple):
    """The entries that an address selects, from the root down, and the host frame that it reaches, or None.

    ``gfn``: the frame where a guest path ends, even if it has no memory.
    """

    steps: list[PathEntry]
    hfn: int | None
    gfn: int | None = None


class Branch(NamedTuple):
    """A table in a tree of tables. ``links``: its entries that point to other tables, as (index, key of that table)."""

    key: Key
    level: int
    number: int
    links: list[tuple[int, Key]]


def guest_entry(vm: Machine, gfn: int, index: int) -> int:
    """The value of an entry of the guest table in gfn; 0 if gfn has no memory."""
    hfn = vm.memory.frames[gfn]
    if guest_format(vm.root_level).size == 4:
        return vm.memory.halves[(BAD_PAGE if hfn is None else hfn) << 10 | index]
    return vm.memory.words[(BAD_PAGE if hfn is None else hfn) << 9 | index]


def maps_large(vm: Machine, level: int, entry: int) -> bool:
    """Whether a guest entry maps a large page."""
    return level == 2 and bool(entry & LARGE) and (vm.root_level != ROOT_32 or bool(vm.cpu.cr4 & CR4_PSE))


def guest_path(vm: Machine, gva: int) -> Path:
    """The path of gva through the guest's tables, up to its frame or the first entry that isn't present. Without paging, it
    has no entries."""
    if vm.root_level == NONPAGING:
        gfn = gva >> PAGE_SHIFT
        return Path([], vm.memory.frames[gfn], gfn)
    steps, level, root = list[PathEntry](), vm.root_level, vm.cpu.cr3
    if level == ROOT_PAE:
        root = vm.cpu.pdptrs[gva >> 30 & 3]
        steps.append(PathEntry(PDPT, 3, vm.cpu.cr3 >> PAGE_SHIFT, gva >> 30 & 3, root))
        if not root & PRESENT:
            return Path(steps, None)
        level = 2
    form = guest_format(vm.root_level)
    gfn = (root & form.base) >> PAGE_SHIFT
    while True:
        index = form.index(gva, level)
        entry = guest_entry(vm, gfn, index)
        steps.append(PathEntry(guest_table(gfn), level, gfn, index, entry))
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
    """The path of gva through the shadow tables, as far as the processor can follow it."""
    steps, level, words = list[PathEntry](), vm.shadow_root_level, vm.memory.words
    if vm.root == INVALID_PAGE:
        return Path(steps, None)
    hfn = vm.root >> PAGE_SHIFT
    if vm.root_level != ROOT_64:
        slot = gva >> 30 & 3
        entry = words[PAE_ROOT << 9 | slot]
        steps.append(PathEntry(ROOTS, 3, PAE_ROOT, slot, entry))
        if entry == INVALID_PAGE or not entry & PRESENT:
            return Path(steps, None)
        level, hfn = 2, (entry & BASE_MASK) >> PAGE_SHIFT
    while FIRST_SHADOW <= hfn < FIRST_SHADOW + NUM_PAGES:
        index = shadow_index(gva, level)
        entry = words[hfn << 9 | index]
        steps.append(PathEntry(shadow_page(hfn - FIRST_SHADOW), level, hfn - FIRST_SHADOW, index, entry))
        if not entry & PRESENT:
            return Path(steps, None)
        hfn, level = (entry & BASE_MASK) >> PAGE_SHIFT, level - 1
        if not level:
            return Path(steps, hfn)
    return Path(steps, None)


def made_from(vm: Machine, page: ShadowPage, index: int) -> tuple[int, int] | None:
    """The guest entry from which entry ``index`` of a shadow page was made, as (gfn of the guest table, index in it).

    None if there is none (the guest isn't paging) or it is no longer known: the page was made in another mode, or it maps a
    large page and no entry points to it.
    """
    if vm.root_level == NONPAGING or page.glevels != vm.root_level:
        return None
    if page.metaphysical:
        parent = vm.parents.first(page)
        above = -1 if parent is None else page_of(parent)
        if parent is None or not 0 <= above < NUM_PAGES or vm.pool.pages[above].metaphysical:
            return None
        return made_from(vm, vm.pool.pages[above], parent & 511)
    if page.glevels == ROOT_32:  # the shadow has fewer index bits per level than the guest; the quadrant has the others
        index = (page.quadrant << 9 | index) >> page.level - 1
    return page.gfn, index


def guest_tree(vm: Machine) -> dict[Key, Branch]:
    """All tables in memory that can be reached from the guest's root, by key, breadth first; empty without paging.

    A table that is reached at two levels is listed only at the first.
    """
    if vm.root_level == NONPAGING:
        return {}
    found = dict[Key, Branch]()
    form = guest_format(vm.root_level)
    waiting = deque([(vm.root_level, (vm.cpu.cr3 & form.base) >> PAGE_SHIFT)])
    if vm.root_level == ROOT_PAE:
        entries = [(i, (pdpte & form.base) >> PAGE_SHIFT) for i, pdpte in enumerate(vm.cpu.pdptrs) if pdpte & PRESENT]
        below = [(i, gfn) for i, gfn in entries if vm.memory.frames[gfn] is not None]
        found[PDPT] = Branch(PDPT, 3, vm.cpu.cr3 >> PAGE_SHIFT, [(i, guest_table(gfn)) for i, gfn in below])
        waiting = deque((2, gfn) for _, gfn in below)
    while waiting:
        level, gfn = waiting.popleft()
        key = guest_table(gfn)
        if key not in found:
            below = _tables_below(vm, level, gfn)
            found[key] = Branch(key, level, gfn, [(index, guest_table(to)) for index, to in below])
            waiting += [(level - 1, to) for _, to in below]
    return found


def _tables_below(vm: Machine, level: int, gfn: int) -> list[tuple[int, int]]:
    """The entries of a guest table that point to tables in memory, as (index, gfn)."""
    hfn = vm.memory.frames[gfn]
    if hfn is None or level == 1:
        return []
    form, page = guest_format(vm.root_level), vm.memory.pages[hfn]
    row = page.view("u4") if form.size == 4 else page
    large = LARGE if level == 2 and maps_large(vm, level, LARGE) else 0
    used = np.flatnonzero((row & row.dtype.type(PRESENT | large)) == PRESENT)
    gfns = (row[used] & row.dtype.type(form.base)) >> row.dtype.type(PAGE_SHIFT)
    pairs = zip(used.tolist(), gfns.tolist(), strict=True)
    return [(index, to) for index, to in pairs if vm.memory.frames[to] is not None]


def shadow_tree(vm: Machine) -> dict[Key, Branch]:
    """All shadow pages that can be reached from the root, by key, breadth first; empty without a root."""
    found = dict[Key, Branch]()
    waiting = deque[tuple[int, int]]()
    if vm.root == INVALID_PAGE:
        return found
    if vm.root_level == ROOT_64:
        id = (vm.root >> PAGE_SHIFT) - FIRST_SHADOW
        waiting += [(4, id)] * (0 <= id < NUM_PAGES)
    else:
        slots = vm.memory.pages[PAE_ROOT][:4]
        pages = _pages_below(np.where(slots == np.uint64(INVALID_PAGE), np.uint64(0), slots))
        found[ROOTS] = Branch(ROOTS, 3, PAE_ROOT, [(index, shadow_page(id)) for index, id in pages])
        waiting += [(2, id) for _, id in pages]
    while waiting:
        level, id = waiting.popleft()
        if (key := shadow_page(id)) not in found:
            pages = _pages_below(vm.memory.pages[FIRST_SHADOW + id]) if level > 1 else []
            found[key] = Branch(key, level, id, [(index, shadow_page(to)) for index, to in pages])
            waiting += [(level - 1, to) for _, to in pages]
    return found


def _pages_below(row: np.ndarray) -> list[tuple[int, int]]:
    """The entries that point to shadow pages, as (index, page id)."""
    used = np.flatnonzero(row & np.uint64(PRESENT))
    hfns = ((row[used] & np.uint64(BASE_MASK)) >> np.uint64(PAGE_SHIFT)).tolist()
    pairs = zip(used.tolist(), hfns, strict=True)
    return [(index, hfn - FIRST_SHADOW) for index, hfn in pairs if FIRST_SHADOW <= hfn < FIRST_SHADOW + NUM_PAGES]
