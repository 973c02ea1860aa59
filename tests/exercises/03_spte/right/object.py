# SPDX-License-Identifier: GPL-2.0-only
"""The entry under construction is an object; only entries that the reverse map keeps are added to it."""

from kvmmmu_lab.mmu import events as ev
from kvmmmu_lab.mmu.shadow import update_slot


class Entry:
    def __init__(self, guest, rights, wide):
        self.value = 0
        for bit in (0, 5, 6, 8, 63) if wide else (0, 5, 6, 8):
            self.value |= guest & 1 << bit
        self.allows_write = bool(guest & rights & 2)
        self.allows_user = bool(guest & rights & 4)
        self.write = self.allows_write and bool(guest & 64)

    def bits(self):
        value = self.value
        if self.allows_write:
            value |= 1 << 10
        if self.allows_user:
            value |= 1 << 11 | 1 << 2
        if self.write:
            value |= 1 << 1
        return value


def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
    new = Entry(guest_entry, rights, vm.root_level in (3, 4))
    try:
        host = vm.memory.frames[gpa >> 12] << 12
    except TypeError:  # None: no memory
        new.value -= new.value & 1
        vm.memory.put(spte, new.bits() | gpa | 512, ev.MAKE_SPTE)
        return
    if new.write:
        new.write = vm.pool.lookup(gfn) is None
        if new.write:
            vm.memory.mark_dirty(gpa >> 12)
        else:
            vm.flush_tlb()
    vm.memory.put(spte, new.bits() | host, ev.MAKE_SPTE)
    update_slot(vm, spte, gpa >> 12)
    if vm.memory.words[spte] & 3 == 3:
        vm.rmap.add(spte)
