# SPDX-License-Identifier: GPL-2.0-only
"""Counters of pairs, a recursive walk, sets of complaints."""

from collections import Counter

from kvmmmu_lab.inspect.paths import guest_path
from kvmmmu_lab.mmu.bits import BASE_MASK, PAGE_SHIFT, PRESENT, WRITABLE, canonical
from kvmmmu_lab.mmu.memory import FIRST_SHADOW, PAE_ROOT
from kvmmmu_lab.mmu.shadow import entries_with


def audit(vm):
    words, found = vm.memory.words, set()
    should = Counter()
    for page in vm.pool.active:
        if page.level == 1:
            for spte in entries_with(vm, page):
                if words[spte] & WRITABLE:
                    should[(words[spte] & BASE_MASK) >> PAGE_SHIFT, spte] += 1
    noted = Counter((hfn, spte) for hfn in vm.rmap.frames() for spte in vm.rmap.sptes(hfn))
    found |= {("rmap", spte) for hfn, spte in (should - noted) | (noted - should)}
    writable = {hfn for hfn, spte in should}
    for page in vm.pool.active:
        if not page.metaphysical and vm.memory.frames[page.gfn] in writable:
            found.add(("wp", page.gfn))

    def down(table, level, gva):
        for spte in entries_with(vm, vm.pool.pages[(table >> PAGE_SHIFT) - FIRST_SHADOW]):
            at = gva + ((spte & 511) << PAGE_SHIFT + 9 * (level - 1))
            if level > 1:
                down(words[spte] & BASE_MASK, level - 1, at)
            elif guest_path(vm, canonical(at)).hfn != (words[spte] & BASE_MASK) >> PAGE_SHIFT:
                found.add(("map", canonical(at)))

    if vm.root_level == 4:
        down(vm.root, 4, 0)
    else:
        for slot in range(4):
            entry = words[PAE_ROOT << 9 | slot]
            if entry & PRESENT:
                down(entry & BASE_MASK, 2, slot << 30)
    return list(found)
