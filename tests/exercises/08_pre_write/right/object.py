# SPDX-License-Identifier: GPL-2.0-only
"""An object that is called, with a method for each question; it keeps nothing between two calls."""

from kvmmmu_lab.mmu import events as ev
from kvmmmu_lab.mmu.bits import BASE_MASK, PAGE_SHIFT, PAGE_SIZE, PRESENT
from kvmmmu_lab.mmu.memory import FIRST_SHADOW
from kvmmmu_lab.mmu.pool import METAPHYSICAL
from kvmmmu_lab.mmu.shadow import zap_page


class PreWrite:
    entry_size = 8
    flood = 3

    def __call__(self, vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & PAGE_SIZE - 1
        self.count(vm, gfn)
        hit = zap_page if self.suspicious(vm, offset, size) else lambda vm, page: self.zap_entry(vm, page, offset)
        for page in self.pages(vm, gfn):
            hit(vm, page)

    def count(self, vm, gfn):
        if vm.last_pt_write_gfn != gfn:
            vm.last_pt_write_gfn = gfn
            vm.last_pt_write_count = 0
        vm.last_pt_write_count += 1

    def suspicious(self, vm, offset, size):
        across = (offset ^ offset + size - 1) & ~(self.entry_size - 1)
        return bool(across) or vm.last_pt_write_count >= self.flood

    def pages(self, vm, gfn):
        return tuple(page for page in vm.pool.bucket(gfn) if page.gfn == gfn and not page.role & METAPHYSICAL)

    def zap_entry(self, vm, page, offset):
        spte = page.spte | offset >> 3
        entry = vm.memory.words[spte]
        if entry & PRESENT:
            self.unhook(vm, page, spte, (entry & BASE_MASK) >> PAGE_SHIFT)
        vm.memory.put(spte, 0, ev.ZAP_SPTE)

    def unhook(self, vm, page, spte, frame):
        if page.level == 1:
            vm.rmap.remove(spte)
        else:
            vm.parents.remove(vm.pool.pages[frame - FIRST_SHADOW], spte)


pre_write = PreWrite()
