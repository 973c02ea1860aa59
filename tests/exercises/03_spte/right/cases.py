# SPDX-License-Identifier: GPL-2.0-only
"""It decides which of four cases it is, and then does what that case needs."""

from enum import Enum

from kvmmmu_lab.mmu import events as ev
from kvmmmu_lab.mmu.shadow import update_slot


class Case(Enum):
    DEVICE = "device"
    TABLE = "table"
    OPEN = "open"
    CLOSED = "closed"


def case(vm, guest_entry, rights, gpa, gfn):
    if vm.memory.frames[gpa >> 12] is None:
        return Case.DEVICE
    if not (rights & guest_entry & 2 and guest_entry & 64):
        return Case.CLOSED
    return Case.OPEN if vm.pool.lookup(gfn) is None else Case.TABLE


def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
    copied = 0b101100001 | (0 if vm.root_level == 2 else 1 << 63)
    flags = guest_entry & copied
    flags |= (rights & guest_entry & 6) * (1 << 9)
    flags |= rights & guest_entry & 4
    what = case(vm, guest_entry, rights, gpa, gfn)
    if what is Case.DEVICE:
        if rights & guest_entry & 2 and guest_entry & 64:
            flags |= 2
        vm.memory.put(spte, (flags & ~1) | 1 << 9 | gpa, ev.MAKE_SPTE)
        return
    if what is Case.OPEN:
        flags |= 2
        vm.memory.mark_dirty(gpa >> 12)
    vm.memory.put(spte, flags | vm.memory.frames[gpa >> 12] << 12, ev.MAKE_SPTE)
    if what is Case.TABLE:
        vm.flush_tlb()
    update_slot(vm, spte, gpa >> 12)
    vm.rmap.add(spte)
