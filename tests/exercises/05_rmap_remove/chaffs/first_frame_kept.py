# SPDX-License-Identifier: GPL-2.0-only
"""Remembers the frame of an entry when it first sees it, and never looks again."""
# breaks: last

from kvmmmu_lab.mmu.bits import BASE_MASK, PAGE_SHIFT, PRESENT, WRITABLE


class ReverseMap:
    def __init__(self, vm):
        self.vm = vm
        self.lists = {}
        self.seen = {}

    def frame(self, spte):
        entry = self.vm.memory.words[spte]
        if entry & PRESENT and entry & WRITABLE:
            return (entry & BASE_MASK) >> PAGE_SHIFT
        return None

    def add(self, spte):
        hfn = self.frame(spte)
        if hfn is not None:
            self.seen.setdefault(spte, hfn)
            self.lists.setdefault(hfn, []).append(spte)

    def remove(self, spte):
        hfn = self.seen.get(spte)
        if self.frame(spte) is not None and hfn in self.lists and spte in self.lists[hfn]:
            self.lists[hfn].remove(spte)
            if not self.lists[hfn]:
                del self.lists[hfn]

    def sptes(self, hfn):
        return self.lists.get(hfn, [])

    def frames(self):
        return list(self.lists)
