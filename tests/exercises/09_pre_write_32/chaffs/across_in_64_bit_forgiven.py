# SPDX-License-Identifier: GPL-2.0-only
# breaks: wide
"""Writes across entries of 64-bit guests are taken as within one."""

from kvmmmu_lab.mmu import events as ev
from kvmmmu_lab.mmu.bits import BASE_MASK, PAGE_SHIFT, PRESENT
from kvmmmu_lab.mmu.memory import FIRST_SHADOW
from kvmmmu_lab.mmu.shadow import zap_page


def child(vm, entry):
    return vm.pool.pages[((entry & BASE_MASK) >> PAGE_SHIFT) - FIRST_SHADOW]


def pre_write(vm, gpa, size):
    gfn = gpa >> 12
    off = gpa & 4095
    if gfn == vm.last_pt_write_gfn:
        vm.last_pt_write_count += 1
    else:
        vm.last_pt_write_gfn = gfn
        vm.last_pt_write_count = 1
    flood = vm.last_pt_write_count >= 3
    for page in list(vm.pool.bucket(gfn)):
        if page.gfn != gfn or page.metaphysical:
            continue
        gl = page.glevels
        esize = 4 if gl == 2 else 8
        across = off // esize != (off + size - 1) // esize or (gl == 4 and size == 4 and off % 4 > 0)
        if flood or across:
            zap_page(vm, page)
            continue
        at, n = off, 1
        if esize == 4:
            at = off * 2
            if page.level == 2:
                at = (at & ~7) * 2
                n = 2
        at &= 4095
        for k in range(n):
            spte = page.spte + at // 8 + k
            entry = vm.memory.words[spte]
            if entry & PRESENT:
                if page.level == 1:
                    vm.rmap.remove(spte)
                else:
                    vm.parents.remove(child(vm, entry), spte)
            vm.memory.put(spte, 0, ev.ZAP_SPTE)
