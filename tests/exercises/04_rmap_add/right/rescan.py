# SPDX-License-Identifier: GPL-2.0-only
"""It keeps nothing, and looks through all shadow entries of level 1 whenever it is asked."""

import numpy as np

from kvmmmu_lab.mmu.bits import BASE_MASK, PAGE_SHIFT, PRESENT, WRITABLE


class ReverseMap:
    def __init__(self, vm):
        self.vm = vm

    def found(self):
        """(spte, hfn) of all entries through which a frame can be written."""
        pages = self.vm.pool.pages
        first = pages[0].spte >> 9
        leaves = [page.id for page in pages if page.level == 1]
        rows = self.vm.memory.pages[first : first + len(pages)][leaves]
        for row, index in zip(*np.nonzero(rows & 3 == PRESENT | WRITABLE), strict=True):
            spte = pages[leaves[row]].spte + int(index)
            yield spte, (self.vm.memory.words[spte] & BASE_MASK) >> PAGE_SHIFT

    def add(self, spte):
        pass

    def sptes(self, hfn):
        return [spte for spte, frame in self.found() if frame == hfn]

    def frames(self):
        return {hfn for _, hfn in self.found()}
