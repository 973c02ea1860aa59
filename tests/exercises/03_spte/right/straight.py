# SPDX-License-Identifier: GPL-2.0-only
"""One function from top to bottom, with numbers."""

from kvmmmu_lab.mmu import events as ev
from kvmmmu_lab.mmu.shadow import update_slot

P, W, U, A, D, G, NX = 1, 2, 4, 32, 64, 256, 1 << 63


def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
    copied = P | A | D | G
    if vm.root_level != 2:
        copied |= NX
    allowed = rights & guest_entry & (W | U)
    entry = (guest_entry & copied) | (allowed << 9) | allowed
    if not guest_entry & D:
        entry &= ~W
    hfn = vm.memory.frames[gpa >> 12]
    if hfn is None:
        entry &= ~P
        entry |= 1 << 9 | gpa
        vm.memory.put(spte, entry, ev.MAKE_SPTE)
        return
    if entry & W and vm.pool.lookup(gfn) is not None:
        entry &= ~W
        vm.flush_tlb()
    if entry & W:
        vm.memory.mark_dirty(gpa >> 12)
    vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
    update_slot(vm, spte, gpa >> 12)
    vm.rmap.add(spte)
