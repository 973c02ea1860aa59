# SPDX-License-Identifier: GPL-2.0-only
"""Goes along the set from which it removes, and Python stops it."""
# breaks: one

from collections import defaultdict

from kvmmmu_lab.mmu.events import PROTECT_SPTE

BOTH = 3
FRAME_BITS = (1 << 52) - 1


class ReverseMap:
    def __init__(self, vm):
        self.vm = vm
        self.found = defaultdict(set)

    def add(self, spte):
        value = self.vm.memory.words[spte]
        if value & BOTH == BOTH:
            self.found[(value & FRAME_BITS) >> 12].add(spte)

    def remove(self, spte):
        value = self.vm.memory.words[spte]
        if value & BOTH == BOTH:
            self.found[(value & FRAME_BITS) >> 12].discard(spte)

    def write_protect(self, gfn):
        vm = self.vm
        for spte in self.found[vm.memory.frames[gfn]]:
            self.remove(spte)
            vm.flush_tlb()
            vm.memory.put(spte, vm.memory.words[spte] ^ 2, PROTECT_SPTE)

    def sptes(self, hfn):
        return self.found[hfn]

    def frames(self):
        return {hfn for hfn, sptes in self.found.items() if sptes}
