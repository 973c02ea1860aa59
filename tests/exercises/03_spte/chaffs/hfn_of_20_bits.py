# SPDX-License-Identifier: GPL-2.0-only
"""Cuts the host frame to 20 bits."""

# breaks: copied

import numpy as np

from kvmmmu_lab.mmu import events as ev
from kvmmmu_lab.mmu.shadow import update_slot

PLACE = np.arange(64, dtype=np.uint64)
ONE = np.uint64(1)
COPIED = np.zeros(64, dtype=np.uint64)
COPIED[[0, 5, 6, 8, 63]] = 1


def vector(number):
    return (np.array([int(number)], dtype=np.uint64) >> PLACE) & ONE


def number(bits):
    return int(np.bitwise_or.reduce(bits << PLACE))


def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
    guest, above = vector(guest_entry), vector(rights)
    allowed = guest & above
    new = guest & COPIED
    if vm.root_level == 2:
        new[63] = 0
    new[10:12] = allowed[1:3]
    new[1:3] = allowed[1:3]
    new[1] &= guest[6]
    hfn = vm.memory.frames[gpa >> 12]
    if hfn is None:
        new[12:52] = vector(gpa)[12:52]
        new[0], new[9] = 0, 1
        vm.memory.put(spte, number(new), ev.MAKE_SPTE)
        return None
    new[12:52] = vector(hfn & 0xFFFFF)[:40]
    if new[1] and vm.pool.lookup(gfn) is not None:
        new[1] = 0
        vm.flush_tlb()
    vm.memory.put(spte, number(new), ev.MAKE_SPTE)
    if new[1] == 1:
        vm.memory.mark_dirty(gpa >> 12)
    vm.rmap.add(spte)
    update_slot(vm, spte, gpa >> 12)
    return None
