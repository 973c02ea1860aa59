# SPDX-License-Identifier: GPL-2.0-only
"""Functions that get, zap and evict shadow pages, and that remove write access to a slot (mmu.c:587-726, 1218-1235,
1322-1342)."""

from __future__ import annotations

from . import events as ev
from .bits import ALL_ONES, BASE_MASK, PAGE_SHIFT, PRESENT, WRITABLE
from .events import traced
from .machine import Machine
from .memory import FIRST_SHADOW
from .pool import METAPHYSICAL, MIN_FREE, NUM_PAGES, REFILL, ShadowPage, make_role
from .walk import gva_to_gpa


def role(vm: Machine, level: int, gva: int, metaphysical: bool, access: int) -> int:
    """The role of a shadow page in the current mode (mmu.c:602-611). CR0.WP, CR4.PSE and EFER.NX aren't in it (2007)."""
    return make_role(vm.root_level, level, gva, metaphysical, access)


@traced(ev.GET_PAGE)
def get_page(
    vm: Machine, gfn: int, gva: int, level: int, metaphysical: bool, access: int, parent: int | None
) -> ShadowPage | None:
    """The shadow page of this gfn and role, found or new; None when the pool is empty (mmu.c:587-632).

    The gfn of a new page is write-protected, unless the page is metaphysical. ``parent`` is the spte that will point to the
    page, None for a root. Raises HostCrash (BUG) for a gfn without memory, unless the page is metaphysical.

    2007: The role doesn't include the access rights of upper levels, so a guest table that is reached with different access
    rights has only one shadow page, which has the access rights of the first use. Nor does it include NX and the dirty bit
    of a large page: after the guest has changed them, the old shadow page is found again.
    """
    role = vm.role(vm, level, gva, metaphysical, access)
    for page in vm.pool.bucket(gfn):
        if page.gfn == gfn and page.role == role:
            if parent is not None:
                vm.parents.add(page, parent)
            return page
    new = vm.pool.take(gfn, role)
    if new is not None:
        if parent is not None:
            vm.parents.add(new, parent)
        if not metaphysical:
            vm.rmap.write_protect(gfn)
    return new


def entries_with(vm: Machine, page: ShadowPage, mask: int = PRESENT) -> list[int]:
    """The sptes of those entries of page that have any bit of ``mask`` set, in ascending order."""
    words, first = vm.memory.words, page.spte
    used = vm.memory.pages[FIRST_SHADOW + page.id].nonzero()[0].tolist()
    return [first + index for index in used if words[first + index] & mask]


def unlink_children(vm: Machine, page: ShadowPage) -> None:
    """Clear a page's entries. Each leaf is removed from its reverse map; each table below loses a parent (mmu.c:634-662)."""
    words, put = vm.memory.words, vm.memory.put
    leaf = page.level == 1
    for spte in entries_with(vm, page, ALL_ONES):
        entry = words[spte]
        if leaf and entry & PRESENT:
            vm.rmap.remove(spte)  # before it is cleared: the reverse map reads the entry
        put(spte, 0, ev.UNLINK_CHILD)
        if not leaf and entry & PRESENT:
            child = vm.pool.header(entry & BASE_MASK, "kvm_mmu_page_unlink_children", "mmu.c:660")
            vm.parents.remove(child, spte)
    if leaf:
        vm.flush_tlb()


@traced(ev.ZAP_PAGE)
def zap_page(vm: Machine, page: ShadowPage) -> None:
    """Unlink a shadow page from its parents, clear its entries, free it (mmu.c:671-696).

    The pages below it stay in the hash, even without parents. A live root stays, too, and moves to the head of the active list.
    """
    vm.stats.zapped += 1
    while (parent := vm.parents.first(page)) is not None:
        vm.parents.remove(page, parent)
        vm.memory.put(parent, 0, ev.UNLINK_PARENT)
    unlink_children(vm, page)
    if page.root_count:
        vm.pool.rotate(page)
    else:
        vm.pool.give(page)


@traced(ev.UNPROTECT)
def unprotect_page(vm: Machine, gfn: int) -> bool:
    """Zap all shadow pages of the guest table in gfn; return whether there were any (mmu.c:698-718)."""
    doomed = [page for page in vm.pool.bucket(gfn) if page.gfn == gfn and not page.role & METAPHYSICAL]
    for page in doomed:
        zap_page(vm, page)
    return bool(doomed)


def unprotect_gva(vm: Machine, gva: int) -> bool:
    """Like `unprotect_page`, but for the frame to which gva is mapped (mmu.c:1218-1223)."""
    return unprotect_page(vm, gva_to_gpa(vm, gva) >> PAGE_SHIFT)


def update_slot(vm: Machine, spte: int, gfn: int) -> None:
    """Record that the shadow page that contains spte reaches gfn's slot (mmu.c:720-726)."""
    page = vm.pool.pages[page_of(spte)]
    bit = vm.memory.slot_bits[gfn]
    if bit is not None and not page.slot_bitmap & bit:
        page.slot_bitmap |= bit
        if vm.emit is not None:
            vm.emit((ev.SLOT_BIT, page.id, page.slot_bitmap))


@traced(ev.EVICT)
def free_some_pages(vm: Machine) -> None:
    """Zap from the tail of the active list until 25 pages are free: first in, first out (mmu.c:1225-1234).

    A live root at the tail is zapped as well: it is cleared, and moves to the head.
    """
    pool = vm.pool
    while len(pool.free) < REFILL:
        page = next(iter(pool.active))
        vm.stats.evicted += not page.root_count
        zap_page(vm, page)


def refill(vm: Machine) -> None:
    """Evict if fewer than 5 pages are free: before a fault, and when CR3 is loaded (mmu.c:947-948)."""
    if len(vm.pool.free) < MIN_FREE:
        free_some_pages(vm)


@traced(ev.SLOT_PROTECT)
def slot_remove_write_access(vm: Machine, slot: int) -> None:
    """Remove write access from every entry of the pages that reach a slot, even from entries that reach another slot
    (mmu.c:1322-1342)."""
    put, words = vm.memory.put, vm.memory.words
    for page in reversed(vm.pool.active):
        if (page.slot_bitmap >> slot) & 1:
            for spte in entries_with(vm, page, WRITABLE):
                vm.rmap.remove(spte)
                put(spte, words[spte] & ~WRITABLE, ev.PROTECT_SLOT_SPTE)


def page_of(spte: int) -> int:
    """The id of the shadow page that contains an spte."""
    return (spte >> 9) - FIRST_SHADOW


def entry_name(spte: int) -> str:
    """The name of a shadow entry, given as its hpa // 8: "#248:457" is entry 457 of shadow page 248. Any other number is
    returned as hexadecimal text."""
    page = page_of(spte)
    return f"#{page}:{spte & 511}" if 0 <= page < NUM_PAGES else f"{spte:#x}"
