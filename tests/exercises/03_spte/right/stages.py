# SPDX-License-Identifier: GPL-2.0-only
"""It writes the read-only entry first, and adds W afterwards if that is allowed."""

from kvmmmu_lab.mmu import events as ev
from kvmmmu_lab.mmu.bits import ACCESSED, DIRTY, GLOBAL, IO_MARK, NX, PAGE_SHIFT, PRESENT, USER, WRITABLE
from kvmmmu_lab.mmu.shadow import update_slot


def base(vm, guest_entry, rights):
    kept = guest_entry & (PRESENT | ACCESSED | DIRTY | GLOBAL)
    if vm.root_level > 2:
        kept |= guest_entry & NX
    if rights & guest_entry & USER:
        kept |= USER | USER << 9
    if rights & guest_entry & WRITABLE:
        kept |= WRITABLE << 9
    return kept


def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
    memory = vm.memory
    wanted = bool(rights & guest_entry & WRITABLE and guest_entry & DIRTY)
    entry = base(vm, guest_entry, rights)
    hfn = memory.frames[gpa >> PAGE_SHIFT]
    if hfn is None:
        entry = entry ^ (entry & PRESENT) | gpa | IO_MARK | (WRITABLE if wanted else 0)
        memory.put(spte, entry, ev.MAKE_SPTE)
        return
    update_slot(vm, spte, gpa >> PAGE_SHIFT)
    memory.put(spte, entry | hfn << PAGE_SHIFT, ev.MAKE_SPTE)
    if wanted:
        if vm.pool.lookup(gfn) is None:
            memory.put(spte, memory.words[spte] | WRITABLE, ev.MAKE_SPTE)
            memory.mark_dirty(gpa >> PAGE_SHIFT)
        else:
            vm.flush_tlb()
    vm.rmap.add(spte)
