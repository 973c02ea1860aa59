# SPDX-License-Identifier: GPL-2.0-only
"""Knows an entry by its index alone: entry 12 of another page takes its place."""
# breaks: second

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
            self.lists.setdefault(hfn, {})[spte & 511] = spte

    def sptes(self, hfn):
        return list(self.lists.get(hfn, {}).values())

    def frames(self):
        return list(self.lists)
