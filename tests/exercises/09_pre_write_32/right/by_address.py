# SPDX-License-Identifier: GPL-2.0-only
"""Guest addresses: which spte maps what the written entry maps? The mask leaves out the quadrant."""

from kvmmmu_lab.mmu import events as ev
from kvmmmu_lab.mmu.bits import BASE_MASK, PRESENT
from kvmmmu_lab.mmu.memory import FIRST_SHADOW
from kvmmmu_lab.mmu.shadow import zap_page


def pre_write(vm, gpa, size):
    gfn, first_byte, last_byte = gpa >> 12, gpa & 0xFFF, (gpa & 0xFFF) + size - 1
    vm.last_pt_write_count = 1 + vm.last_pt_write_count * (vm.last_pt_write_gfn == gfn)
    vm.last_pt_write_gfn = gfn
    hit = [page for page in vm.pool.bucket(gfn) if page.gfn == gfn]
    hit = [page for page in hit if not page.metaphysical]
    for page in hit:
        shift = 2 if page.glevels == 2 else 3
        guest_covers = 12 + (12 - shift) * (page.level - 1)
        shadow_covers = 12 + 9 * (page.level - 1)
        if vm.last_pt_write_count > 2 or first_byte >> shift < last_byte >> shift:
            zap_page(vm, page)
            continue
        begin = (first_byte >> shift) << guest_covers
        for address in range(begin, begin + (1 << guest_covers), 1 << shadow_covers):
            clear(vm, page, address >> shadow_covers & 511)


def clear(vm, page, index):
    spte = page.spte + index
    entry = vm.memory.words[spte]
    if entry & PRESENT:
        if page.level == 1:
            vm.rmap.remove(spte)
        else:
            vm.parents.remove(vm.pool.pages[(entry & BASE_MASK) // 4096 - FIRST_SHADOW], spte)
    vm.memory.put(spte, 0, ev.ZAP_SPTE)
