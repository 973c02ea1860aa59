# SPDX-License-Identifier: GPL-2.0-only
# breaks: pages
"""gfns are compared as the hash does it, modulo 256."""

from kvmmmu_lab.mmu import events as ev
from kvmmmu_lab.mmu.bits import BASE_MASK, PAGE_SHIFT, PRESENT
from kvmmmu_lab.mmu.memory import FIRST_SHADOW
from kvmmmu_lab.mmu.shadow import zap_page


def child(vm, entry):
    return vm.pool.pages[((entry & BASE_MASK) >> PAGE_SHIFT) - FIRST_SHADOW]


def pre_write(vm, gpa, size):
    gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
    if gfn == vm.last_pt_write_gfn:
        vm.last_pt_write_count += 1
    else:
        vm.last_pt_write_gfn = gfn
        vm.last_pt_write_count = 1
    flooded = vm.last_pt_write_count >= 3
    across = offset // 8 != (offset + size - 1) // 8
    for page in list(vm.pool.bucket(gfn)):
        if page.gfn % 256 != gfn % 256 or page.metaphysical:
            continue
        if flooded or across:
            zap_page(vm, page)
            continue
        spte = page.spte + offset // 8
        entry = vm.memory.words[spte]
        if entry & PRESENT:
            if page.level == 1:
                vm.rmap.remove(spte)
            else:
                vm.parents.remove(child(vm, entry), spte)
        vm.memory.put(spte, 0, ev.ZAP_SPTE)
