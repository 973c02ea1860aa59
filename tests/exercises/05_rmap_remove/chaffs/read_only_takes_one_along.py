# SPDX-License-Identifier: GPL-2.0-only
"""Removes the newest entry of the frame when a read-only one goes."""
# breaks: ignored

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
        if hfn in self.lists:
            self.lists[hfn].remove(spte if spte in self.lists[hfn] else self.lists[hfn][-1])
            if not self.lists[hfn]:
                del self.lists[hfn]

    def sptes(self, hfn):
        return self.lists.get(hfn, [])

    def frames(self):
        return list(self.lists)
