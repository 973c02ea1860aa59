# SPDX-License-Identifier: GPL-2.0-only
"""Files maps under the guest's number of the frame, which all frames that aren't the guest's have in common: None."""
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
            self.lists.setdefault(self.vm.memory.gfns[hfn], []).append(spte)

    def sptes(self, hfn):
        return self.lists.get(self.vm.memory.gfns[hfn], [])

    def frames(self):
        return {self.frame(spte) for row in self.lists.values() for spte in row}
