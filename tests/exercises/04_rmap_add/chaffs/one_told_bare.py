# SPDX-License-Identifier: GPL-2.0-only
"""sptes() gives a single entry as a number, not as a list of one."""
# breaks: first

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

    def sptes(self, hfn):
        row = self.lists.get(hfn, [])
        return row[0] if len(row) == 1 else row

    def frames(self):
        return list(self.lists)
