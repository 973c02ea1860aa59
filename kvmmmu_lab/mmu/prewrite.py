# SPDX-License-Identifier: GPL-2.0-only
"""Pre-write: before the guest writes a page table, zap the shadow entries of the guest entries that it writes
(mmu.c:1121-1216).

The new value doesn't matter. A later fault makes the shadow entry again.
"""

from __future__ import annotations

from collections.abc import Callable

from . import events as ev
from .bits import BASE_MASK, PAGE_SHIFT, PAGE_SIZE, PRESENT, ROOT_32, guest_format
from .machine import Machine
from .pool import METAPHYSICAL, ShadowPage
from .shadow import zap_page

ShadowRange = Callable[[ShadowPage, int], tuple[int, int]]
FLOOD = 3
"""After this many consecutive writes to a frame, the frame is assumed not to be a page table any more."""


def pre_write(vm: Machine, gpa: int, size: int, entries: ShadowRange | None = None) -> None:
    """Zap the shadow entries of the guest entry that a write of ``size`` bytes at ``gpa`` will change (mmu.c:1140-1212).

    A write to more than one entry, or the third in a row to the same frame, zaps the whole shadow page. A write to another
    frame resets that count, but a fault doesn't (2007). For a guest table with 4-byte entries, shadow entries are zapped in the
    pages of all quadrants, even in those that don't shadow the written entry (2007). ``entries`` replaces `shadow_range`.
    """
    entries = entries or shadow_range
    emit = vm.emit
    gfn, offset = gpa >> PAGE_SHIFT, gpa & (PAGE_SIZE - 1)
    if gfn == vm.last_pt_write_gfn:
        vm.last_pt_write_count += 1
    else:
        vm.last_pt_write_gfn, vm.last_pt_write_count = gfn, 1
    flooded = vm.last_pt_write_count >= FLOOD
    if flooded and emit is not None:
        emit((ev.FLOODED, gfn, vm.last_pt_write_count))
    for page in shadow_pages(vm, gfn):
        misaligned = crosses_entries(guest_format(page.glevels).size, offset, size)
        if misaligned or flooded:
            if misaligned and emit is not None:
                emit((ev.MISALIGNED, page.id, offset, size))
            vm.stats.flood_zaps += flooded
            zap_page(vm, page)
        else:
            first, count = entries(page, offset)
            for spte in range(first, first + count):
                zap_spte(vm, page, spte)


def shadow_pages(vm: Machine, gfn: int) -> list[ShadowPage]:
    """The shadow pages of the guest table in gfn, ordered as in their hash bucket (mmu.c:1165-1169).

    There is one for each mode and level in which the frame serves as a table; if the table has 4-byte entries, there is one for
    each quadrant.
    """
    return [page for page in vm.pool.bucket(gfn) if page.gfn == gfn and not page.role & METAPHYSICAL]


def crosses_entries(entry_size: int, offset: int, size: int) -> bool:
    """Whether ``size`` bytes at byte ``offset`` of a table belong to more than one entry (mmu.c:1170-1171)."""
    return offset // entry_size != (offset + size - 1) // entry_size


def shadow_range(page: ShadowPage, offset: int) -> tuple[int, int]:
    """The entries of page that shadow the guest entry at byte ``offset``, as (first spte, count) (mmu.c:1188-1209).

    An 8-byte entry has the same offset as its shadow. The shadow of a 4-byte entry has 8 bytes, so the offset is doubled. A
    4-byte directory entry maps 4 MiB, for which the shadow needs two entries of 2 MiB, so its offset is doubled twice.
    """
    count = 1
    if page.glevels == ROOT_32:
        offset <<= 1
        if page.level == 2:
            offset = (offset & ~7) << 1
            count = 2
    return page.spte + (offset & (PAGE_SIZE - 1)) // 8, count


def zap_spte(vm: Machine, page: ShadowPage, spte: int) -> None:
    """Clear a shadow entry of any kind: a leaf, a link to a table (the table stays), an I/O entry (mmu.c:1121-1138)."""
    entry = vm.memory.words[spte]
    if entry & PRESENT:
        if page.level == 1:
            vm.rmap.remove(spte)
        else:
            vm.parents.remove(vm.pool.header(entry & BASE_MASK, "mmu_pre_write_zap_pte", "mmu.c:1133"), spte)
    vm.memory.put(spte, 0, ev.ZAP_SPTE)
    vm.stats.entries_zapped += bool(entry)
