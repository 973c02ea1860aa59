# SPDX-License-Identifier: GPL-2.0-only
"""One function from top to bottom, by the offset in the page."""

from kvmmmu_lab.mmu import events as ev
from kvmmmu_lab.mmu.bits import BASE_MASK, PAGE_SHIFT, PRESENT
from kvmmmu_lab.mmu.memory import FIRST_SHADOW
from kvmmmu_lab.mmu.shadow import zap_page


def pre_write(vm, gpa, size):
    gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
    if gfn == vm.last_pt_write_gfn:
        vm.last_pt_write_count += 1
    else:
        vm.last_pt_write_gfn, vm.last_pt_write_count = gfn, 1
    whole = vm.last_pt_write_count >= 3 or offset // 8 != (offset + size - 1) // 8
    for page in list(vm.pool.bucket(gfn)):
        if page.gfn != gfn or page.metaphysical:
            continue
        if whole:
            zap_page(vm, page)
            continue
        spte = page.spte + offset // 8
        entry = vm.memory.words[spte]
        if entry & PRESENT:
            if page.level == 1:
                vm.rmap.remove(spte)
            else:
                child = vm.pool.pages[((entry & BASE_MASK) >> PAGE_SHIFT) - FIRST_SHADOW]
                vm.parents.remove(child, spte)
        vm.memory.put(spte, 0, ev.ZAP_SPTE)
