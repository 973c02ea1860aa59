# SPDX-License-Identifier: GPL-2.0-only
"""One sorted list of (frame, spte) pairs for the whole machine, with binary search."""

from bisect import bisect_left, insort

from kvmmmu_lab.mmu.bits import BASE_MASK, PAGE_SHIFT


class ReverseMap:
    def __init__(self, vm):
        self.memory, self.pairs = vm.memory, []

    def pair(self, spte):
        entry = self.memory.words[spte]
        return (entry & BASE_MASK) >> PAGE_SHIFT, spte

    def counts(self, spte):
        return self.memory.words[spte] & 0b11 == 0b11

    def add(self, spte):
        if self.counts(spte):
            insort(self.pairs, self.pair(spte))

    def sptes(self, hfn):
        first, behind = bisect_left(self.pairs, (hfn,)), bisect_left(self.pairs, (hfn + 1,))
        return [spte for _, spte in self.pairs[first:behind]]

    def frames(self):
        return sorted({hfn for hfn, _ in self.pairs})
