# SPDX-License-Identifier: GPL-2.0-only
"""Contexts: the root tables of each paging mode, and page faults of a guest without paging (mmu.c:765-952, 1026-1119)."""

from __future__ import annotations

from ..errors import HostCrash
from . import events as ev
from .bits import BASE_MASK, FLAT, INVALID_PAGE, NONPAGING, PAGE_SHIFT, PRESENT, ROOT_64, ROOT_PAE, WRITABLE
from .events import traced
from .machine import Machine
from .memory import PAE_ROOT
from .pool import ShadowPage
from .shadow import entry_name, get_page, refill, update_slot, zap_page

ENOMEM = 12
PAE_ROOT_HPA = PAE_ROOT << PAGE_SHIFT


def init_context(vm: Machine) -> None:
    """Select the paging mode according to the registers, and build its roots (mmu.c:921-935, 1039-1097).

    The kernel passes CR3's PWT and PCD bits on to the processor (mmu.c:1053, 1075); here they have no effect.
    """
    mode = vm.cpu.mode
    vm.root_level, vm.shadow_root_level = mode.levels, mode.shadow_levels
    alloc_roots(vm)
    vm.load_root()


def destroy_context(vm: Machine) -> None:
    """Release the roots, if there are any (mmu.c:1099-1106)."""
    if vm.root != INVALID_PAGE:
        free_roots(vm)


@traced(ev.RESET_CONTEXT)
def reset_context(vm: Machine) -> None:
    """Build new roots for the current mode (mmu.c:1108-1119). The pool isn't checked first (2007: an oops if it is
    empty)."""
    destroy_context(vm)
    init_context(vm)
    vm.caches.top_up(vm.emit)


def new_cr3(vm: Machine) -> None:
    """Replace the roots after a load of CR3; do nothing if the guest doesn't use paging (mmu.c:765-767)."""
    if vm.root_level != NONPAGING:
        _paging_new_cr3(vm)


@traced(ev.NEW_CR3)
def _paging_new_cr3(vm: Machine) -> None:
    """Replace the roots; the old shadow pages stay in the pool (mmu.c:943-952)."""
    free_roots(vm)
    refill(vm)
    alloc_roots(vm)
    vm.flush_tlb()
    vm.load_root()


@traced(ev.ZAP_ALL)
def zap_all(vm: Machine) -> None:
    """Zap every shadow page and rebuild the context (mmu.c:1344-1359)."""
    _zap_active(vm)
    vm.caches.empty()
    vm.flush_tlb()
    init_context(vm)


@traced(ev.DESTROY)
def destroy(vm: Machine) -> None:
    """Terminate a VM: zap all shadow pages and free the caches (mmu.c:1237-1254, 1313-1320)."""
    _zap_active(vm)
    vm.caches.empty()


def _zap_active(vm: Machine) -> None:
    destroy_context(vm)
    while vm.pool.active:
        zap_page(vm, next(reversed(vm.pool.active)))


@traced(ev.ALLOC_ROOTS)
def alloc_roots(vm: Machine) -> None:
    """Get the root page, or the four pages below the PAE root, and pin them (mmu.c:845-886).

    It isn't checked that CR3 and the PDPTEs are addresses in memory, or that shadow pages are free (2007). Raises HostCrash: a
    BUG if a root is outside every slot, an oops if the pool is empty.
    """
    if vm.shadow_root_level == ROOT_64:
        vm.root = _pin(vm, vm.get_root(vm, vm.cpu.cr3 >> PAGE_SHIFT, 0, ROOT_64, False))
    else:
        for i in range(4):
            gfn = vm.cpu.cr3 >> PAGE_SHIFT
            if vm.root_level == ROOT_PAE:
                if not vm.cpu.pdptrs[i] & PRESENT:
                    vm.memory.put((PAE_ROOT << 9) + i, 0, ev.ROOT_SLOT)
                    continue
                gfn = vm.cpu.pdptrs[i] >> PAGE_SHIFT
            elif vm.root_level == NONPAGING:
                gfn = 0
            page = vm.get_root(vm, gfn, i << 30, 2, vm.root_level == NONPAGING)
            vm.memory.put((PAE_ROOT << 9) + i, _pin(vm, page) | PRESENT, ev.ROOT_SLOT)
        vm.root = PAE_ROOT_HPA


def get_root(vm: Machine, gfn: int, gva: int, level: int, metaphysical: bool) -> ShadowPage | None:
    """The shadow page of a root, found or new (mmu.c:858, 878)."""
    return get_page(vm, gfn, gva, level, metaphysical, 0, None)


def _pin(vm: Machine, page: ShadowPage | None) -> int:
    if page is None:
        source = "mmu.c:860" if vm.shadow_root_level == ROOT_64 else "mmu.c:881"
        raise HostCrash("oops", "mmu_alloc_roots", source, "no free shadow page; the kernel doesn't check (null pointer)")
    _count_root(vm, page, 1)
    return page.hpa


def _count_root(vm: Machine, page: ShadowPage, change: int) -> None:
    page.root_count += change
    if vm.emit is not None:
        vm.emit((ev.ROOT_COUNT, page.id, page.root_count))


@traced(ev.FREE_ROOTS)
def free_roots(vm: Machine) -> None:
    """Unpin the roots; their pages stay (mmu.c:815-843)."""
    words = vm.memory.words
    if vm.shadow_root_level == ROOT_64:
        _count_root(vm, vm.pool.header(vm.root, "mmu_free_roots", "mmu.c:825"), -1)
    else:
        for at in range(PAE_ROOT << 9, (PAE_ROOT << 9) + 4):
            if words[at]:
                page = vm.pool.header(words[at] & BASE_MASK, "mmu_free_roots", "mmu.c:837")
                _count_root(vm, page, -1)
            vm.memory.put(at, INVALID_PAGE, ev.ROOT_SLOT_FREE)
    vm.root = INVALID_PAGE


def nonpaging_fault(vm: Machine, gva: int, error: int) -> int:
    """Handle a page fault of a guest without paging: gva is also the gpa (mmu.c:893-914). Returns 1 (emulate) if there is no
    memory there."""
    vm.caches.top_up(vm.emit)
    hfn = vm.memory.frames[(gva & BASE_MASK) >> PAGE_SHIFT]
    return 1 if hfn is None else _nonpaging_map(vm, gva & ~0xFFF, hfn << PAGE_SHIFT)


def _nonpaging_map(vm: Machine, gva: int, hpa: int) -> int:
    """Map one 4 KiB page at its own address with all access rights, even if it is a shadowed page table (2007;
    mmu.c:769-813)."""
    words, put = vm.memory.words, vm.memory.put
    table = vm.root
    for level in (3, 2):
        spte = (table >> 3) | ((gva >> (3 + 9 * level)) & 511)
        if not words[spte]:
            gfn = (gva & BASE_MASK & ~0x1FFFFF) >> PAGE_SHIFT
            page = get_page(vm, gfn, gva, level - 1, True, 0, spte)
            if page is None:
                return -ENOMEM
            put(spte, page.hpa | FLAT, ev.NONPAGING_LINK)
        table = words[spte] & BASE_MASK
        if not table:
            raise HostCrash(
                "oops",
                "nonpaging_map",
                "mmu.c:780",
                f"spte {entry_name(spte)} (level {level}) is a leftover, {words[spte]:#x}, which leads to host page 0",
            )
    spte = (table >> 3) | ((gva >> 12) & 511)
    if (words[spte] & (PRESENT | WRITABLE)) == (PRESENT | WRITABLE):
        return 0
    vm.memory.mark_dirty(gva >> PAGE_SHIFT)
    update_slot(vm, spte, gva >> PAGE_SHIFT)
    put(spte, hpa | FLAT, ev.NONPAGING_MAP)
    vm.rmap.add(spte)
    return 0
