# SPDX-License-Identifier: GPL-2.0-only
"""Handling a page fault of a guest with paging: walk, fetch, fix (paging_tmpl.h:224, 307, 392)."""

from __future__ import annotations

from ..errors import HostCrash
from . import events as ev
from .audit import audit
from .bits import (
    BASE_MASK,
    CR0_WP,
    DIRTY,
    IO_MARK,
    LINK,
    PAGE_SHIFT,
    PFERR_FETCH,
    PFERR_USER,
    PFERR_WRITE,
    PRESENT,
    PS_MARK,
    RIGHTS,
    ROOT_32,
    SHADOW_USER,
    SHADOW_WRITABLE,
    USER,
    WRITABLE,
    guest_format,
)
from .events import traced
from .machine import Machine
from .memory import PAE_ROOT
from .shadow import get_page, zap_page
from .spte import large_gpa
from .walk import Walk, read_entry


@traced(ev.PAGE_FAULT)
def page_fault(vm: Machine, gva: int, error: int) -> int:
    """Handle a page fault at gva, which the shadow tables caused. Returns 1 to emulate the instruction, 0 to run the guest
    again (paging_tmpl.h:392).

    ``error``: bit 1 write, bit 2 user, bit 4 fetch. If the guest's own tables deny the access, the guest gets the fault.
    The handler doesn't check whether the access can now succeed (2007: the same fault may recur forever).
    """
    write, user = bool(error & PFERR_WRITE), bool(error & PFERR_USER)
    if vm.audits:
        vm.audit_log.append(("pre page fault", audit(vm)))
    vm.caches.top_up(vm.emit)
    walk = vm.walk(vm, gva, write, user, bool(error & PFERR_FETCH))
    if walk.error is not None:
        vm.inject_page_fault(gva, walk.error)
        return 0
    spte = fetch(vm, gva, walk)
    page_table_written = False
    if write:
        page_table_written = fix_write(vm, spte, user, walk)
    else:
        vm.fix_read(vm, spte)
    if vm.memory.words[spte] & IO_MARK:
        return 1
    vm.stats.fixed += 1
    if vm.audits:
        vm.audit_log.append(("post page fault (fixed)", audit(vm)))
    return int(page_table_written)


@traced(ev.FETCH)
def fetch(vm: Machine, gva: int, walk: Walk) -> int:
    """Walk the shadow tables to gva's level-1 entry, creating missing tables and entries (paging_tmpl.h:224).

    Returns the spte. An entry that points to a table allows every access: the access rights of all guest levels are enforced at
    level 1.
    """
    words, put, emit = vm.memory.words, vm.memory.put, vm.emit
    level, table = vm.shadow_root_level, vm.root
    if level == 3:
        level, table = 2, words[(PAE_ROOT << 9) | ((gva >> 30) & 3)] & BASE_MASK
    above = None
    while True:
        spte = (table >> 3) | ((gva >> (3 + 9 * level)) & 511)
        entry = words[spte]
        if emit is not None:
            emit((ev.SHADOW_READ, spte, level, entry))
        if level == 1:
            break
        if not entry & PRESENT:
            entry = _link_table(vm, gva, walk, level, spte)
        table, above = entry & BASE_MASK, spte
        level -= 1
    if not entry & (PRESENT | IO_MARK):
        guest_entry = read_entry(vm, walk)
        gpa = guest_entry & guest_format(vm.root_level).base
        if walk.level == 2:
            if above is not None:
                put(above, words[above] | PS_MARK, ev.MARK_LARGE)
            gpa = large_gpa(vm, guest_entry, walk.gfn)
        vm.set_spte(vm, spte, guest_entry, walk.rights, gpa, walk.gfn)
    return spte


def _link_table(vm: Machine, gva: int, walk: Walk, level: int, spte: int) -> int:
    """Link a shadow table to the empty entry ``spte`` at level ``level``; return the new entry."""
    if level == 2 and walk.level == 2:  # below a large page there is no guest table to shadow
        gfn, metaphysical = (read_entry(vm, walk) & guest_format(vm.root_level).base) >> PAGE_SHIFT, True
    else:
        gfn, metaphysical = walk.tables[level - 1], False
    page = get_page(vm, gfn, gva, level - 1, metaphysical, vm.table_access(vm, gva, walk, level), spte)
    if page is None:
        raise HostCrash("oops", "fetch", "paging_tmpl.h:224", "no free shadow page; the kernel doesn't check (null pointer)")
    vm.memory.put(spte, page.hpa | LINK, ev.LINK_TABLE)
    return page.hpa | LINK


def table_access(vm: Machine, gva: int, walk: Walk, level: int) -> int:
    """The access rights in the role of the table below an entry at ``level``: those of a large page's entry, 0 for any other
    table (2007: the rights of the entries above are in no role)."""
    return (read_entry(vm, walk) & RIGHTS) >> 1 if level == walk.level else 0


@traced(ev.FIX_WRITE)
def fix_write(vm: Machine, spte: int, user: bool, walk: Walk) -> bool:
    """Make a shadow entry writable for a write, if that is allowed (paging_tmpl.h:307).

    Returns True if the write is to a page table and has to be emulated.

    2007: If `user_write` zaps the page that contains ``spte``, the freed page keeps an entry with only the writable bit.
    """
    memory = vm.memory
    entry = memory.words[spte]
    if entry & WRITABLE:
        return False
    if user:
        if not entry & SHADOW_USER or not entry & SHADOW_WRITABLE:
            return False
    elif not entry & SHADOW_WRITABLE:
        if vm.cpu.cr0 & CR0_WP:
            return False
        memory.put(spte, entry & ~USER, ev.WITHHOLD_USER)
    guest_entry = read_entry(vm, walk)
    if not guest_entry & PRESENT:
        memory.put(spte, 0, ev.DROP_SPTE)
        return False
    page = vm.user_write(vm, walk.gfn) if user else vm.pool.lookup(walk.gfn)
    memory.mark_dirty(walk.gfn)
    if page is None:
        memory.put(spte, memory.words[spte] | WRITABLE, ev.ALLOW_WRITE)
    memory.mark_dirty(walk.tables[walk.level])
    if vm.root_level == ROOT_32:
        memory.put_half(walk.entry, memory.halves[walk.entry] | DIRTY, ev.GUEST_DIRTY)
    else:
        memory.put(walk.entry, memory.words[walk.entry] | DIRTY, ev.GUEST_DIRTY)
    if page is None:
        vm.rmap.add(spte)
    return page is not None


def user_write(vm: Machine, gfn: int) -> None:
    """Zap all shadow pages of the guest table in gfn, since a user write is assumed not to change a page table
    (paging_tmpl.h:307). Raises HostCrash (hang) if one of them is a live root, which stays in the hash (2007)."""
    while (page := vm.pool.lookup(gfn)) is not None:
        zap_page(vm, page)
        if page.root_count:
            raise HostCrash("hang", "fix_write_pf", "paging_tmpl.h:307", f"zapping leaves the live root {page}")
