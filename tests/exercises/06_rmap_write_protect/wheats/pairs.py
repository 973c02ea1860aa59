# SPDX-License-Identifier: GPL-2.0-only
"""One sorted list of (frame, spte) pairs for the whole machine, searched by halves."""

from bisect import bisect_left, insort

from kvmmmu_lab.mmu import events as ev
from kvmmmu_lab.mmu.bits import BASE_MASK, PAGE_SHIFT, WRITABLE


class ReverseMap:
    def __init__(self, vm):
        self.memory, self.pairs = vm.memory, []
        self.flush = vm.flush_tlb

    def pair(self, spte):
        entry = self.memory.words[spte]
        return (entry & BASE_MASK) >> PAGE_SHIFT, spte

    def counts(self, spte):
        return self.memory.words[spte] & 0b11 == 0b11

    def add(self, spte):
        if self.counts(spte):
            insort(self.pairs, self.pair(spte))

    def remove(self, spte):
        if self.counts(spte):
            del self.pairs[bisect_left(self.pairs, self.pair(spte))]

    def write_protect(self, gfn):
        hfn = self.memory.frames[gfn]
        while sptes := self.sptes(hfn):
            self.remove(sptes[-1])
            self.flush()
            self.memory.put(sptes[-1], self.memory.words[sptes[-1]] & ~WRITABLE, ev.PROTECT_SPTE)

    def sptes(self, hfn):
        first, behind = bisect_left(self.pairs, (hfn,)), bisect_left(self.pairs, (hfn + 1,))
        return [spte for _, spte in self.pairs[first:behind]]

    def frames(self):
        return sorted({hfn for hfn, _ in self.pairs})
