# SPDX-License-Identifier: GPL-2.0-only
# breaks: gfn
"""A frame's number has 16 bits."""

from kvmmmu_lab.mmu import events as ev
from kvmmmu_lab.mmu.bits import BASE_MASK, PAGE_SHIFT, WRITABLE


class ReverseMap:
    def __init__(self, vm):
        self.vm = vm
        self.m = {}
        self.init()

    def init(self):
        pass

    def hfn(self, e):
        return (e & BASE_MASK) >> PAGE_SHIFT

    def counts(self, e):
        return e & 3 == 3

    def add(self, spte):
        e = self.vm.memory.words[spte]
        if self.counts(e):
            self.note(self.hfn(e), spte)

    def note(self, h, spte):
        self.m.setdefault(h, []).append(spte)

    def remove(self, spte):
        e = self.vm.memory.words[spte]
        if self.counts(e):
            self.forget(self.hfn(e), spte)

    def forget(self, h, spte):
        self.m[h].remove(spte)
        if not self.m[h]:
            del self.m[h]

    def sptes(self, hfn):
        return list(self.m.get(hfn, []))

    def frames(self):
        return list(self.m)

    def write_protect(self, gfn):
        hfn = self.vm.memory.frames[gfn] & 0xffff
        for s in self.sptes(hfn):
            self.remove(s)
            self.vm.flush_tlb()
            self.vm.memory.put(s, self.vm.memory.words[s] & ~WRITABLE, ev.PROTECT_SPTE)
