# SPDX-License-Identifier: GPL-2.0-only
"""Finds the map by the frame's number modulo 256, and doesn't compare the rest."""
# breaks: frame

from kvmmmu_lab.mmu.bits import BASE_MASK, PAGE_SHIFT, PRESENT, WRITABLE


class ReverseMap:
    def __init__(self, vm):
        self.vm = vm
        self.lists = {}

    def frame(self, spte):
        entry = self.vm.memory.words[spte]
        if entry & PRESENT and entry & WRITABLE:
            return (entry & BASE_MASK) >> PAGE_SHIFT & 255
        return None

    def add(self, spte):
        hfn = self.frame(spte)
        if hfn is not None:
            self.lists.setdefault(hfn, []).append(spte)

    def sptes(self, hfn):
        return self.lists.get(hfn & 255, [])

    def frames(self):
        return [(self.vm.memory.words[spte] & BASE_MASK) >> PAGE_SHIFT for row in self.lists.values() for spte in row]
