# SPDX-License-Identifier: GPL-2.0-only
"""It collects everything that is stale, then removes it: entries leave maps and parents, and are zeroed at the end."""

from kvmmmu_lab.mmu import events as ev
from kvmmmu_lab.mmu.bits import BASE_MASK, PAGE_SHIFT, PRESENT
from kvmmmu_lab.mmu.memory import FIRST_SHADOW
from kvmmmu_lab.mmu.shadow import zap_page


def pre_write(vm, gpa, size):
    gfn, offset = divmod(gpa, 1 << PAGE_SHIFT)
    same = gfn == vm.last_pt_write_gfn
    vm.last_pt_write_gfn, vm.last_pt_write_count = gfn, vm.last_pt_write_count * same + 1

    stale = []
    for page in vm.pool.bucket(gfn):
        if (page.gfn, page.metaphysical) == (gfn, False):
            stale.append(page)
    if offset % 8 + size > 8 or vm.last_pt_write_count > 2:
        for page in stale:
            zap_page(vm, page)
        return

    sptes = [(page.level, page.spte + offset // 8) for page in stale]
    present = [(level, spte) for level, spte in sptes if vm.memory.words[spte] & PRESENT]
    for level, spte in present:
        if level == 1:
            vm.rmap.remove(spte)
    for level, spte in present:
        if level != 1:
            frame = (vm.memory.words[spte] & BASE_MASK) >> PAGE_SHIFT
            vm.parents.remove(vm.pool.pages[frame - FIRST_SHADOW], spte)
    for _, spte in reversed(sptes):
        vm.memory.put(spte, 0, ev.ZAP_SPTE)
