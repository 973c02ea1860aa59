# SPDX-License-Identifier: GPL-2.0-only
"""A function for each step: the flags, the rights, the I/O entry, write protection, and the mapping."""

from kvmmmu_lab.mmu import events as ev
from kvmmmu_lab.mmu.shadow import update_slot

P, W, U, A, D, G, NX = 1, 2, 4, 32, 64, 256, 1 << 63


def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
    entry = flags(vm, guest_entry, allowed(guest_entry, rights))
    hfn = vm.memory.frames[gpa >> 12]
    if hfn is None:
        vm.memory.put(spte, io_entry(entry, gpa), ev.MAKE_SPTE)
    else:
        map_frame(vm, spte, entry, hfn, gpa, gfn)


def allowed(guest_entry, rights):
    return rights & guest_entry & (W | U)


def flags(vm, guest_entry, rights):
    entry = copied(vm, guest_entry) | rights | marks(rights)
    return entry if guest_entry & D else entry & ~W


def copied(vm, guest_entry):
    return guest_entry & (P | A | D | G | (NX if vm.root_level > 2 else 0))


def marks(rights):
    return rights << 9


def io_entry(entry, gpa):
    return entry & ~P | 1 << 9 | gpa


def map_frame(vm, spte, entry, hfn, gpa, gfn):
    entry = protected(vm, entry, gfn)
    if entry & W:
        vm.memory.mark_dirty(gpa >> 12)
    vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
    update_slot(vm, spte, gpa >> 12)
    vm.rmap.add(spte)


def protected(vm, entry, gfn):
    if entry & W and vm.pool.lookup(gfn) is not None:
        vm.flush_tlb()
        entry &= ~W
    return entry
