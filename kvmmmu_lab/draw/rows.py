# SPDX-License-Identifier: GPL-2.0-only
"""What tables, entries and frames say about themselves: titles, flags in fixed places, targets, what is left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..mmu.arena import FIRST_SHADOW, PAE_ROOT
from ..mmu.bits import (
    INVALID_PAGE,
    NONPAGING,
    PAGE_SHIFT,
    PRESENT,
    ROOT_32,
    ROOT_64,
    ROOT_PAE,
    guest_format,
)
from ..mmu.machine import Machine
from ..mmu.pool import ShadowPage
from ..read.entries import flags, guest_target, shadow_target, spell, withheld
from ..read.paths import PDPT, ROOTS, maps_large
from .scene import Entry, Table

MODES = {ROOT_64: "64-bit", ROOT_PAE: "PAE", ROOT_32: "32-bit", NONPAGING: "not paging"}
LEVELS = {4: "PML4", 3: "PDPT", 2: "PD", 1: "PT"}
ACCESS = ("kernel, reads", "kernel, writes", "user, reads", "user, writes")
"""What a large page's role says of its guest entry."""


def large_page(glevels: int) -> str:
    """The size of a large page: 4 MB with 4-byte entries, else 2 MB."""
    return f"{4 if glevels == ROOT_32 else 2} MB"


def ref(spte: int) -> str:
    """A reference to a shadow entry, as all pictures write it: "#248:457"."""
    return f"#{(spte >> 9) - FIRST_SHADOW}:{spte & 511}"


def plural(count: int, one: str, many: str = "") -> str:
    """A count with its noun: "1 page", "2 pages"."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def shadow_entry(vm: Machine, id: int, index: int) -> int:
    """An entry of shadow page ``id``; of the root slots, if ``id`` is their frame."""
    return vm.memory.words[(PAE_ROOT if id == PAE_ROOT else FIRST_SHADOW + id) << 9 | index]


def guest_row(vm: Machine, key: str, level: int, index: int, value: int, mark: str) -> Entry:
    """The row of a guest entry. Width is scarce: "2 MB 0x600" is a large page, spelled out in ``says``."""
    target, says = guest_target(vm, level, value), spell(value)
    if value & PRESENT and maps_large(vm, level, value):
        size, gfn = large_page(vm.root_level), target.split()[-1]
        target, says = f"{size} {gfn}", f"{says}; a {size} page at gfn {gfn}"
    return Entry(key, str(index), flags(value), target, mark, says)


def shadow_row(vm: Machine, key: str, level: int, index: int, value: int, mark: str) -> Entry:
    """The row of a shadow entry, or of a root slot."""
    if value == INVALID_PAGE:
        return Entry(key, str(index), flags(0), "none", mark, "no root")
    kept = withheld(level, value)
    return Entry(key, str(index), flags(value, kept), shadow_target(vm, value), mark, spell(value, kept & ~value))


def rmap_row(vm: Machine, key: str, hfn: int, mark: str) -> Entry:
    """The row of a frame's reverse map: how many entries can write it, and the first of them."""
    refs = [ref(spte) for spte in vm.rmap.sptes(hfn)]
    count = plural(len(refs), "entry", "entries") if refs else "empty"
    says = f"writable through {', '.join(refs)}" if refs else "no shadow entry can write this frame"
    return Entry(key, "rmap", count, refs[0] if refs else "nobody", mark, says)


def heading(vm: Machine, key: str, kind: str, level: int, number: int) -> tuple[str, tuple[str, ...]]:
    """Title and words of a table."""
    if key == PDPT:
        return LEVELS[3], (f"CR3 {vm.cpu.cr3:#x}", "held in registers")
    if key == ROOTS:
        return "root slots", ("four, of 1 GB each",)
    if kind == "guest":
        root = vm.root_level != ROOT_PAE and number == vm.cpu.cr3 >> PAGE_SHIFT
        return LEVELS[level], (f"gfn {number:#x}{' = CR3' if root else ''}",)
    return page_heading(vm.pool.pages[number])


def page_heading(page: ShadowPage) -> tuple[str, tuple[str, ...]]:
    """Title and words of a shadow page."""
    words = [f"of gfn {page.gfn:#x}"]
    root = " · root" * bool(page.root_count)
    if page.metaphysical:
        words[0] += root
        words += ["no guest table:", f"pieces of a {large_page(page.glevels)} page"]
        if page.glevels == NONPAGING:
            words[-1] = "the guest isn't paging"
    elif page.glevels == ROOT_32:
        words.append(f"quadrant {page.quadrant}{root}")
    else:
        words[0] += root
    return f"shadow L{page.level} #{page.id}", tuple(words)


def role_words(page: ShadowPage) -> tuple[str, ...]:
    """All that a page is known by: its gfn, and every part of its role."""
    mode = f"{page.glevels} guest levels" if page.glevels else "guest isn't paging"
    words = [f"of gfn {page.gfn:#x}", f"level {page.level}, {mode}"]
    if page.glevels <= ROOT_32:
        words.append(f"quadrant {page.quadrant}")
    if page.metaphysical:
        words.append("metaphysical: no table")
        if page.glevels:
            words.append(f"large page: {ACCESS[page.access]}")
    if page.root_count:
        words.append(f"root, used {page.root_count} times" if page.root_count > 1 else "root, in use")
    return tuple(words)


def frame_heading(vm: Machine, gfn: int | None, hfn: int | None) -> tuple[str, tuple[str, ...]]:
    """Title and words of a memory frame, or of a guest frame without memory."""
    if hfn is None:
        return f"gfn {gfn:#x}", ("no memory: a device",)
    gfn = vm.memory.gfns[hfn]
    if gfn is None:
        return f"host frame {hfn:#x}", ("of no slot any more",)
    if vm.pool.lookup(gfn) is None:
        return f"frame gfn {gfn:#x}", ("data page",)
    return f"frame gfn {gfn:#x}", (f"{'writable' if vm.rmap.sptes(hfn) else 'write-protected'} table",)


def complete(vm: Machine, table: Table, entries: tuple[Entry, ...]) -> Table:
    """The table with its entries, and with the others counted: "37 more, 473 empty"."""
    if table.kind == "frame":
        others = int(entries[0].flags.split()[0]) - 1 if entries and entries[0].flags[0].isdigit() else 0
        return replace(table, entries=entries, rest=f"and {others} more" if others else "")
    row = all_entries(vm, table.key)
    used = int(np.count_nonzero(row if table.kind == "shadow" else row & row.dtype.type(PRESENT)))
    drawn = [entry for entry in entries if entry.mark != "dead"]
    full = sum(1 for entry in drawn if entry.target not in ("empty", "not present", "none"))
    more, empty = max(0, used - full), len(row) - used - (len(entries) - full)
    rest = ", ".join([f"{more} more"] * bool(more) + [f"{empty} empty"] * bool(empty))
    return replace(table, entries=entries, rest=rest)


def used_entries(vm: Machine, key: str) -> list[tuple[int, int]]:
    """The entries of a table that aren't empty, as (index, value); of a guest's table, those that are present."""
    row = all_entries(vm, key)
    used = np.flatnonzero(row if key[0] in "rs" else row & row.dtype.type(PRESENT))
    return list(zip(used.tolist(), row[used].tolist(), strict=True))


def all_entries(vm: Machine, key: str) -> np.ndarray:
    """A table as an array. Root slots that hold no root are 0."""
    if key == PDPT:
        return np.array(vm.cpu.pdptrs, dtype="u8")
    if key == ROOTS:
        slots = vm.memory.pages[PAE_ROOT][:4]
        return np.where(slots == np.uint64(INVALID_PAGE), np.uint64(0), slots)
    if key.startswith("s:"):
        return vm.memory.pages[FIRST_SHADOW + int(key[2:])]
    hfn = vm.memory.frames[int(key[2:], 16)]
    page = np.zeros(512, "u8") if hfn is None else vm.memory.pages[hfn]
    return page.view("u4") if guest_format(vm.root_level).size == 4 else page
