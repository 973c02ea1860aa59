# SPDX-License-Identifier: GPL-2.0-only
"""The walk of the guest's page tables, in place of the guest's processor (paging_tmpl.h:72, 457).

The walk stops at the first entry that denies the access, so the accessed bits above that entry are already set.
The access rights that it collects don't include those of the last entry. It ignores reserved bits and PSE-36. A processor
checks access rights only at the end, so if an upper entry denies the access and a lower one isn't present, it reports a page
that isn't present; this walk reports the denial (2007).
"""

from __future__ import annotations

from . import events as ev
from .bits import (
    ACCESSED,
    CR0_WP,
    CR4_PSE,
    EFER_NX,
    LARGE,
    NARROW,
    NONPAGING,
    NX,
    PAGE_SHIFT,
    PAGE_SIZE,
    PFERR_PRESENT,
    PRESENT,
    RIGHTS,
    ROOT_32,
    ROOT_PAE,
    UNMAPPED_GVA,
    USER,
    WIDE,
    WRITABLE,
    error_code,
    guest_format,
)
from .machine import Machine, Walk
from .memory import BAD_PAGE


def walk_guest(vm: Machine, gva: int, write: bool, user: bool, fetch: bool) -> Walk:
    """Walk the guest's tables for one access, setting accessed bits on the way (paging_tmpl.h:72)."""
    memory, cpu, emit = vm.memory, vm.cpu, vm.emit
    level, root = vm.root_level, cpu.cr3
    tables = [0] * 5
    if level == ROOT_32:
        form, entries, mark = NARROW, memory.halves, memory.put_half
    else:
        form, entries, mark = WIDE, memory.words, memory.put
        if level == ROOT_PAE:
            root = cpu.pdptrs[(gva >> 30) & 3]
            if not root & PRESENT:
                return _stop(Walk(3, tables, 0, RIGHTS, 0, 0), write, user, fetch)
            level = 2
    bits, base = form.index_bits, form.base
    # need: the bits that must be set in every entry. asked: the bits that are checked; these can include NX, which must be
    # clear.
    need = PRESENT | ACCESSED | (user and USER)
    if write and (user or cpu.cr0 & CR0_WP):
        need |= WRITABLE
    asked = need | NX if fetch and form is WIDE and cpu.efer & EFER_NX else need
    index_mask = (1 << bits) - 1
    shift = PAGE_SHIFT + bits * (level - 1)
    gfn = (root & base) >> PAGE_SHIFT
    rights = RIGHTS
    while True:
        tables[level] = gfn
        hfn = memory.frames[gfn]
        if hfn is None:
            hfn = BAD_PAGE  # all zeroes, so not present (safe_gpa_to_hpa, mmu.c:728-733)
        index = (gva >> shift) & index_mask
        at = (hfn << bits) | index
        entry = entries[at]
        if emit is not None:
            emit((ev.GUEST_READ, gfn, index, level, entry))
        if (entry & asked) != need:
            if not entry & PRESENT:
                return _stop(Walk(level, tables, at, rights, 0, 0), write, user, fetch)
            if ((entry | ACCESSED) & asked) != need:
                return _stop(Walk(level, tables, at, rights, 0, PFERR_PRESENT), write, user, fetch)
            memory.mark_dirty(gfn)
            entry |= ACCESSED
            mark(at, entry, ev.GUEST_ACCESSED)
        if level == 1:
            target = (entry & base) >> PAGE_SHIFT
            break
        if level == 2 and entry & LARGE and (form is WIDE or cpu.cr4 & CR4_PSE):
            target = (((entry & base) >> PAGE_SHIFT) & ~index_mask) | ((gva >> PAGE_SHIFT) & index_mask)
            break
        rights &= entry
        gfn = (entry & base) >> PAGE_SHIFT
        level -= 1
        shift -= bits
    return Walk(level, tables, at, rights, target, None)


def _stop(walk: Walk, write: bool, user: bool, fetch: bool) -> Walk:
    """Complete the error code. It reports a fetch even if EFER.NX is off (2007; a processor reports it only if NX is on)."""
    assert walk.error is not None
    walk.error |= error_code(write, user, fetch)
    return walk


def gva_to_gpa(vm: Machine, gva: int) -> int:
    """The gpa of gva for a supervisor read, or UNMAPPED_GVA if gva isn't mapped (paging_tmpl.h:457). Sets accessed bits."""
    if vm.root_level == NONPAGING:
        return gva
    walk = vm.walk(vm, gva, False, False, False)
    return UNMAPPED_GVA if walk.error is not None else (walk.gfn << PAGE_SHIFT) | (gva & (PAGE_SIZE - 1))


def gva_to_hpa(vm: Machine, gva: int) -> int:
    """The hpa of gva (mmu.c:747-763): all ones if gva isn't mapped, bit 63 set if there is no memory."""
    gpa = gva_to_gpa(vm, gva)
    return UNMAPPED_GVA if gpa == UNMAPPED_GVA else vm.memory.gpa_to_hpa(gpa)


def read_entry(vm: Machine, walk: Walk) -> int:
    """The current value of the last guest entry of a walk."""
    return (vm.memory.halves if guest_format(vm.root_level).size == 4 else vm.memory.words)[walk.entry]
