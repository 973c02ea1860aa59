# SPDX-License-Identifier: GPL-2.0-only
"""A plan for every page, as pairs of a page and its sptes to zap (None: all of them), and then its execution."""

from kvmmmu_lab.mmu import events as ev
from kvmmmu_lab.mmu.bits import BASE_MASK, PAGE_SHIFT, PAGE_SIZE, PRESENT
from kvmmmu_lab.mmu.memory import FIRST_SHADOW
from kvmmmu_lab.mmu.pool import METAPHYSICAL
from kvmmmu_lab.mmu.shadow import zap_page


def plan(vm, gfn, offset, size, flooded):
    for page in vm.pool.bucket(gfn):
        if page.gfn == gfn and not page.role & METAPHYSICAL:
            mask = ~3 if page.glevels == 2 else ~7
            if flooded or (offset ^ offset + size - 1) & mask:
                yield page, None
            elif mask == ~7:
                yield page, [page.spte + offset // 8]
            elif page.level == 1:
                yield page, [page.spte + offset * 2 % PAGE_SIZE // 8]
            else:
                first = page.spte + (offset & ~3) * 4 % PAGE_SIZE // 8
                yield page, [first + 1, first]


def pre_write(vm, gpa, size):
    gfn, offset = divmod(gpa, PAGE_SIZE)
    if vm.last_pt_write_gfn != gfn:
        vm.last_pt_write_count = 0
    vm.last_pt_write_gfn = gfn
    vm.last_pt_write_count += 1
    for page, sptes in list(plan(vm, gfn, offset, size, vm.last_pt_write_count >= 3)):
        if sptes is None:
            zap_page(vm, page)
            continue
        for spte in sptes:
            entry = vm.memory.words[spte]
            if not entry:
                continue
            if entry & PRESENT and page.level == 1:
                vm.rmap.remove(spte)
            elif entry & PRESENT:
                vm.parents.remove(vm.pool.pages[((entry & BASE_MASK) >> PAGE_SHIFT) - FIRST_SHADOW], spte)
            vm.memory.put(spte, 0, ev.ZAP_SPTE)
