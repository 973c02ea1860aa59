# SPDX-License-Identifier: GPL-2.0-only
"""A table that is computed once: the guest entry and the sptes of each byte, for each kind of page."""

from kvmmmu_lab.mmu import events as ev
from kvmmmu_lab.mmu.bits import BASE_MASK, PAGE_SHIFT, PRESENT
from kvmmmu_lab.mmu.memory import FIRST_SHADOW
from kvmmmu_lab.mmu.shadow import zap_page

BYTES = range(4096)
WIDE = [(byte // 8, (byte // 8,)) for byte in BYTES]
NARROW_TABLE = [(byte // 4, (byte // 4 & 511,)) for byte in BYTES]
NARROW_DIRECTORY = [(byte // 4, ((byte // 4 & 255) * 2, (byte // 4 & 255) * 2 + 1)) for byte in BYTES]
KINDS = {(2, 1): NARROW_TABLE, (2, 2): NARROW_DIRECTORY}


def leave(vm, spte, level):
    entry = vm.memory.words[spte]
    if not entry & PRESENT:
        return
    if level == 1:
        vm.rmap.remove(spte)
        return
    vm.parents.remove(vm.pool.pages[((entry & BASE_MASK) >> PAGE_SHIFT) - FIRST_SHADOW], spte)


def pre_write(vm, gpa, size):
    gfn, offset = gpa >> PAGE_SHIFT, gpa & 4095
    same = vm.last_pt_write_gfn == gfn
    vm.last_pt_write_gfn, vm.last_pt_write_count = gfn, (vm.last_pt_write_count if same else 0) + 1
    for page in tuple(vm.pool.bucket(gfn)):
        if page.metaphysical or page.gfn != gfn:
            continue
        kind = KINDS.get((page.glevels, page.level), WIDE)
        (entry, indexes), (last, _) = kind[offset], kind[offset + size - 1]
        if entry != last or vm.last_pt_write_count >= 3:
            zap_page(vm, page)
        else:
            for index in indexes:
                leave(vm, page.spte + index, page.level)
                vm.memory.put(page.spte + index, 0, ev.ZAP_SPTE)
