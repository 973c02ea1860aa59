# SPDX-License-Identifier: GPL-2.0-only
"""A class for each format of the guest's tables, and closures that do the work."""

from kvmmmu_lab.mmu import events as ev
from kvmmmu_lab.mmu.bits import BASE_MASK, PAGE_SHIFT, PRESENT
from kvmmmu_lab.mmu.memory import FIRST_SHADOW
from kvmmmu_lab.mmu.shadow import zap_page


class Wide:
    size = 8

    def sptes(self, page, offset):
        return [page.spte + offset // 8]


class Narrow:
    size = 4

    def sptes(self, page, offset):
        if page.level == 1:
            return [page.spte + (offset * 2 & 0xFFF) // 8]
        first = page.spte + ((offset * 2 & ~7) * 2 & 0xFFF) // 8
        return [first, first + 1]


FORMATS = {2: Narrow(), 3: Wide(), 4: Wide()}


class PreWrite:
    def __init__(self, flood):
        self.flood = flood

    def __call__(self, vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        again = vm.last_pt_write_gfn == gfn
        vm.last_pt_write_gfn = gfn
        vm.last_pt_write_count = vm.last_pt_write_count + 1 if again else 1

        def unhook(page, spte, entry):
            if page.level == 1:
                vm.rmap.remove(spte)
            else:
                vm.parents.remove(vm.pool.pages[((entry & BASE_MASK) >> PAGE_SHIFT) - FIRST_SHADOW], spte)

        def empty(page, spte):
            entry = vm.memory.words[spte]
            if entry & PRESENT:
                unhook(page, spte, entry)
            vm.memory.put(spte, 0, ev.ZAP_SPTE)

        for page in vm.pool.bucket(gfn)[:]:
            if page.gfn == gfn and not page.metaphysical:
                form = FORMATS[page.glevels]
                if offset % form.size + size > form.size or vm.last_pt_write_count >= self.flood:
                    zap_page(vm, page)
                else:
                    for spte in form.sptes(page, offset):
                        empty(page, spte)


pre_write = PreWrite(3)
