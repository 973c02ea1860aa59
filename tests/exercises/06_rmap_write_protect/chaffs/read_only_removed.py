# SPDX-License-Identifier: GPL-2.0-only
"""Stumbles over a read-only entry that is removed."""
# breaks: maps

from kvmmmu_lab.mmu import events as ev
from kvmmmu_lab.mmu.bits import BASE_MASK, PAGE_SHIFT, PRESENT, WRITABLE


class ReverseMap:
    def __init__(self, vm):
        self.vm = vm
        self.lists = {}

    def frame(self, spte):
        entry = self.vm.memory.words[spte]
        if entry & PRESENT and entry & WRITABLE:
            return (entry & BASE_MASK) >> PAGE_SHIFT
        return None

    def add(self, spte):
        hfn = self.frame(spte)
        if hfn is not None:
            self.lists.setdefault(hfn, []).append(spte)

    def remove(self, spte):
        hfn = (self.vm.memory.words[spte] & BASE_MASK) >> PAGE_SHIFT
        self.lists[hfn].remove(spte)
        if not self.lists[hfn]:
            del self.lists[hfn]

    def write_protect(self, gfn):
        hfn = self.vm.memory.frames[gfn]
        for spte in list(self.lists.get(hfn, [])):
            self.remove(spte)
            self.vm.flush_tlb()
            self.vm.memory.put(spte, self.vm.memory.words[spte] & ~WRITABLE, ev.PROTECT_SPTE)

    def sptes(self, hfn):
        return self.lists.get(hfn, [])

    def frames(self):
        return list(self.lists)
