# SPDX-License-Identifier: GPL-2.0-only
"""Removes from the map of whichever frame has the same number modulo 256."""
# breaks: frame

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
        hfn = self.frame(spte)
        if hfn is not None:
            alike = next(other for other in self.lists if other & 255 == hfn & 255)
            row = self.lists[alike]
            row.remove(spte if spte in row else row[0])
            if not self.lists[alike]:
                del self.lists[alike]

    def sptes(self, hfn):
        return self.lists.get(hfn, [])

    def frames(self):
        return list(self.lists)
