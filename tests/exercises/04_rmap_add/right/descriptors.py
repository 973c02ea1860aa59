# SPDX-License-Identifier: GPL-2.0-only
"""As the kernel does it: one entry directly, more in descriptors of four; a hole is filled from the same descriptor."""

from kvmmmu_lab.mmu.bits import BASE_MASK, PAGE_SHIFT, PRESENT, WRITABLE

PLACES = 4


class ReverseMap:
    def __init__(self, vm):
        self.vm = vm
        self.kept = {}

    def frame_of(self, spte):
        entry = self.vm.memory.words[spte]
        counted = entry & PRESENT and entry & WRITABLE
        return (entry & BASE_MASK) >> PAGE_SHIFT if counted else None

    def add(self, spte):
        hfn = self.frame_of(spte)
        if hfn is None:
            return
        if hfn not in self.kept:
            self.kept[hfn] = spte
            return
        if not isinstance(self.kept[hfn], list):
            self.begin_row(hfn)
        self.append(self.kept[hfn], spte)

    def begin_row(self, hfn):
        self.vm.caches.rmap_desc.take()
        self.kept[hfn] = [[self.kept[hfn]]]

    def append(self, row, spte):
        for descriptor in row:
            if len(descriptor) < PLACES:
                descriptor.append(spte)
                return
        self.vm.caches.rmap_desc.take()
        row.append([spte])

    def descriptors(self, hfn):
        return self.kept.get(hfn)

    def sptes(self, hfn):
        kept = self.kept.get(hfn)
        if kept is None:
            return ()
        return (kept,) if isinstance(kept, int) else tuple(spte for descriptor in kept for spte in descriptor)

    def frames(self):
        return self.kept.keys()
