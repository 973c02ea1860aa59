# SPDX-License-Identifier: GPL-2.0-only
"""Remembers what was removed, and never takes it again."""
# breaks: last

from kvmmmu_lab.mmu.bits import BASE_MASK, PAGE_SHIFT, PRESENT, WRITABLE


class ReverseMap:
    def __init__(self, vm):
        self.vm = vm
        self.lists = {}
        self.gone = set()

    def frame(self, spte):
        entry = self.vm.memory.words[spte]
        if entry & PRESENT and entry & WRITABLE:
            return (entry & BASE_MASK) >> PAGE_SHIFT
        return None

    def add(self, spte):
        hfn = self.frame(spte)
        if hfn is not None and spte not in self.gone:
            self.lists.setdefault(hfn, []).append(spte)

    def remove(self, spte):
        hfn = self.frame(spte)
        if hfn is not None and spte not in self.gone:
            self.gone.add(spte)
            self.lists[hfn].remove(spte)
            if not self.lists[hfn]:
                del self.lists[hfn]

    def sptes(self, hfn):
        return self.lists.get(hfn, [])

    def frames(self):
        return list(self.lists)
