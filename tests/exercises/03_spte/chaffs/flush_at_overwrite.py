# SPDX-License-Identifier: GPL-2.0-only
"""Flushes when a present entry is overwritten."""

# breaks: table

from kvmmmu_lab.mmu import events as ev
from kvmmmu_lab.mmu.bits import ACCESSED, DIRTY, GLOBAL, IO_MARK, NX, PAGE_SHIFT, PRESENT, USER, WRITABLE
from kvmmmu_lab.mmu.shadow import update_slot


def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
    allowed = rights & guest_entry & (WRITABLE | USER)
    value = guest_entry & (PRESENT | ACCESSED | DIRTY | GLOBAL)
    if vm.root_level != 2:
        value |= guest_entry & NX
    value |= allowed << 9
    granted = allowed
    if not guest_entry & DIRTY:
        granted &= ~WRITABLE
    hfn = vm.memory.frames[gpa >> PAGE_SHIFT]
    if hfn is None:
        value &= ~PRESENT
        vm.memory.put(spte, value | granted | IO_MARK | gpa, ev.MAKE_SPTE)
        return
    if granted & WRITABLE and vm.pool.lookup(gfn) is not None:
        granted &= ~WRITABLE
        vm.flush_tlb()
    if granted & WRITABLE:
        vm.memory.mark_dirty(gpa >> PAGE_SHIFT)
    if vm.memory.words[spte] & PRESENT:
        vm.flush_tlb()
    vm.memory.put(spte, value | granted | hfn << PAGE_SHIFT, ev.MAKE_SPTE)
    update_slot(vm, spte, gpa >> PAGE_SHIFT)
    vm.rmap.add(spte)
