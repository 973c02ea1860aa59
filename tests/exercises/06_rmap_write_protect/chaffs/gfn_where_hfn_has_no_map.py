# SPDX-License-Identifier: GPL-2.0-only
"""Where the host frame has no map it takes that of the frame with the gfn as its number."""

# breaks: others

from kvmmmu_lab.mmu import events as ev
from kvmmmu_lab.mmu.bits import BASE_MASK, PAGE_SHIFT, PRESENT, WRITABLE


class ReverseMap:
    def __init__(self, vm):
        self.vm = vm
        self.maps = {}

    def add(self, spte):
        entry = self.vm.memory.words[spte]
        if entry & PRESENT and entry & WRITABLE:
            hfn = (entry & BASE_MASK) >> PAGE_SHIFT
            self.maps.setdefault(hfn, []).append(spte)

    def remove(self, spte):
        entry = self.vm.memory.words[spte]
        if entry & PRESENT and entry & WRITABLE:
            hfn = (entry & BASE_MASK) >> PAGE_SHIFT
            own = self.maps[hfn]
            own.remove(spte)
            if not own:
                del self.maps[hfn]

    def write_protect(self, gfn):
        hfn = self.vm.memory.frames[gfn]
        if hfn not in self.maps:
            hfn = gfn
        for spte in list(self.sptes(hfn)):
            self.remove(spte)
            self.vm.flush_tlb()
            value = self.vm.memory.words[spte]
            self.vm.memory.put(spte, value & ~WRITABLE, ev.PROTECT_SPTE)

    def sptes(self, hfn):
        return list(self.maps.get(hfn, ()))

    def frames(self):
        return list(self.maps)
