# SPDX-License-Identifier: GPL-2.0-only
"""A chain through two tables: for each frame its newest entry, and for each entry the next older one of its frame."""

from kvmmmu_lab.mmu.bits import BASE_MASK, PAGE_SHIFT, PRESENT, WRITABLE


class ReverseMap:
    def __init__(self, vm):
        self.vm = vm
        self.newest = {}
        self.older = {}

    def where(self, spte):
        entry = self.vm.memory.words[spte]
        if entry & (PRESENT | WRITABLE) != PRESENT | WRITABLE:
            return 0
        return (entry & BASE_MASK) >> PAGE_SHIFT

    def add(self, spte):
        if hfn := self.where(spte):
            self.older[spte] = self.newest.get(hfn)
            self.newest[hfn] = spte

    def sptes(self, hfn):
        at = self.newest.get(hfn)
        while at is not None:
            yield at
            at = self.older[at]

    def frames(self):
        return list(self.newest)
