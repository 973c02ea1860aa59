# SPDX-License-Identifier: GPL-2.0-only
"""Indexes of entries instead of offsets: each has 1 or 2 sptes, modulo the size of the page."""

from kvmmmu_lab.mmu import events as ev
from kvmmmu_lab.mmu.bits import BASE_MASK, PAGE_SHIFT, PRESENT
from kvmmmu_lab.mmu.memory import FIRST_SHADOW
from kvmmmu_lab.mmu.shadow import zap_page


def touched(page, gpa, size):
    """The numbers of the guest's entries in which bytes are written: first and last."""
    of = 4 if page.glevels == 2 else 8
    return gpa % 4096 // of, (gpa + size - 1) % 4096 // of


def sptes(page, index):
    """The references to what was made from a guest entry."""
    each = 2 if (page.glevels, page.level) == (2, 2) else 1
    return [page.spte + (index * each + n) % 512 for n in range(each)]


def forget(vm, page, spte):
    entry = vm.memory.words[spte]
    if entry & PRESENT and page.level > 1:
        vm.parents.remove(vm.pool.pages[((entry & BASE_MASK) >> PAGE_SHIFT) - FIRST_SHADOW], spte)
    elif entry & PRESENT:
        vm.rmap.remove(spte)
    vm.memory.put(spte, 0, ev.ZAP_SPTE)


def pre_write(vm, gpa, size):
    gfn = gpa // 4096
    vm.last_pt_write_count = vm.last_pt_write_count + 1 if vm.last_pt_write_gfn == gfn else 1
    vm.last_pt_write_gfn = gfn
    for page in [page for page in vm.pool.bucket(gfn) if page.gfn == gfn and not page.metaphysical]:
        first, last = touched(page, gpa, size)
        if first != last or vm.last_pt_write_count >= 3:
            zap_page(vm, page)
        else:
            for spte in sptes(page, first):
                forget(vm, page, spte)
