# SPDX-License-Identifier: GPL-2.0-only
"""Indexes of entries: those that the write touches are a range, in the guest's table as in the shadow."""

from kvmmmu_lab.mmu import events as ev
from kvmmmu_lab.mmu.bits import BASE_MASK, PAGE_SHIFT, PRESENT
from kvmmmu_lab.mmu.memory import FIRST_SHADOW
from kvmmmu_lab.mmu.shadow import zap_page

FLOOD = 3


def count(vm, gfn):
    vm.last_pt_write_count = vm.last_pt_write_count + 1 if vm.last_pt_write_gfn == gfn else 1
    vm.last_pt_write_gfn = gfn
    return vm.last_pt_write_count


def forget(vm, page, index):
    spte = page.spte + index
    entry = vm.memory.words[spte]
    if entry & PRESENT and page.level > 1:
        vm.parents.remove(vm.pool.pages[((entry & BASE_MASK) >> PAGE_SHIFT) - FIRST_SHADOW], spte)
    elif entry & PRESENT:
        vm.rmap.remove(spte)
    if entry:
        vm.memory.put(spte, 0, ev.ZAP_SPTE)


def pre_write(vm, gpa, size):
    gfn = gpa // 4096
    first, last = gpa % 4096 // 8, (gpa + size - 1) % 4096 // 8
    flooded = count(vm, gfn) >= FLOOD
    pages = [page for page in vm.pool.bucket(gfn) if page.gfn == gfn and not page.metaphysical]
    for page in pages:
        if first == last and not flooded:
            forget(vm, page, first)
        else:
            zap_page(vm, page)
