# SPDX-License-Identifier: GPL-2.0-only
"""Making a shadow entry from a guest entry (paging_tmpl.h:195, 205; mmu.c:954-1024).

The present, accessed, dirty, global and NX bits are copied. The writable bit is withheld while the guest's dirty bit is clear,
so that the first write faults, and for a frame that is itself a page table, so that every write faults. Bits 10 and 11 record
whether the guest allows writing and user access.
"""

from __future__ import annotations

from . import events as ev
from .bits import (
    BASE_MASK,
    DIRTY,
    IO_MARK,
    PAGE_SHIFT,
    PRESENT,
    PSE36_MASK,
    PSE36_SHIFT,
    ROOT_32,
    SHADOW_BITS_OFFSET,
    SHADOW_USER,
    USER,
    WRITABLE,
    guest_format,
)
from .machine import Machine
from .shadow import update_slot


def set_spte(vm: Machine, spte: int, guest_entry: int, rights: int, gpa: int, gfn: int) -> None:
    """Make the level-1 shadow entry ``spte`` for a guest entry (paging_tmpl.h:195, mmu.c:954-1000).

    ``rights``: the W and U bits that all upper levels allow. ``gpa``: the byte address of the frame. ``gfn``: the frame that
    the walk found, which for a PSE-36 entry isn't the frame of gpa (2007: the dirty mark uses gpa, the look-up of a shadow
    page uses gfn). If there is no memory at gpa, the result is an I/O entry: not present, bit 9 set, in no reverse map.
    NX is copied only from the last entry, even while EFER.NX is off (2007).
    """
    memory = vm.memory
    rights &= guest_entry
    entry = (guest_entry & guest_format(vm.root_level).copied) | (rights << SHADOW_BITS_OFFSET)
    if not guest_entry & DIRTY:
        rights &= ~WRITABLE
    hfn = memory.frames[(gpa & BASE_MASK) >> PAGE_SHIFT]
    if hfn is None:
        memory.put(spte, (entry | rights | gpa | IO_MARK) & ~PRESENT, ev.MAKE_SPTE)
    else:
        if rights & WRITABLE and vm.pool.lookup(gfn) is not None:
            rights &= ~WRITABLE
            vm.flush_tlb()
        if rights & WRITABLE:
            memory.mark_dirty(gpa >> PAGE_SHIFT)
        memory.put(spte, entry | rights | (hfn << PAGE_SHIFT), ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> PAGE_SHIFT)
        vm.rmap.add(spte)


def large_gpa(vm: Machine, guest_entry: int, gfn: int) -> int:
    """The byte address of one 4 KiB frame of a large page, with the upper bits of PSE-36 (paging_tmpl.h:205).

    The walk ignores those bits, so the walk and the shadow can disagree about the frame (2007).
    """
    gpa = gfn << PAGE_SHIFT
    if vm.root_level == ROOT_32:
        gpa |= (guest_entry & PSE36_MASK) << PSE36_SHIFT
    return gpa


def fix_read(vm: Machine, spte: int) -> None:
    """Restore the user access that a supervisor write with CR0.WP clear removed (mmu.c:1009-1024).

    The writable bit is cleared, but the entry stays in the reverse map (2007: a BUG later, when the frame becomes a page
    table).
    """
    entry = vm.memory.words[spte]
    if entry & SHADOW_USER and not entry & USER:
        vm.memory.put(spte, (entry | USER) & ~WRITABLE, ev.FIX_READ)
