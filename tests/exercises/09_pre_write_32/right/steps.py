# SPDX-License-Identifier: GPL-2.0-only
"""A function for each step: count the write, find the pages, and zap them or one or two entries of each."""

from kvmmmu_lab.mmu import events as ev
from kvmmmu_lab.mmu.bits import BASE_MASK, PAGE_SHIFT, PRESENT
from kvmmmu_lab.mmu.memory import FIRST_SHADOW
from kvmmmu_lab.mmu.shadow import zap_page


def pre_write(vm, gpa, size):
    gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
    flooded = count_write(vm, gfn) >= 3
    for page in shadows(vm, gfn):
        if flooded or across(page, offset, size):
            zap_page(vm, page)
        else:
            for spte in sptes(page, offset):
                zap_entry(vm, page, spte)


def count_write(vm, gfn):
    if gfn == vm.last_pt_write_gfn:
        vm.last_pt_write_count += 1
    else:
        vm.last_pt_write_gfn, vm.last_pt_write_count = gfn, 1
    return vm.last_pt_write_count


def shadows(vm, gfn):
    return [page for page in vm.pool.bucket(gfn) if page.gfn == gfn and not page.metaphysical]


def narrow(page):
    """Whether the entries that a page shadows have 4 bytes."""
    return page.glevels == 2


def across(page, offset, size):
    width = 4 if narrow(page) else 8
    return offset // width != (offset + size - 1) // width


def sptes(page, offset):
    at, count = offset, 1
    if narrow(page):
        at *= 2
        if page.level == 2:
            at, count = (at & ~7) * 2, 2
    first = page.spte + (at & 0xFFF) // 8
    return range(first, first + count)


def zap_entry(vm, page, spte):
    entry = vm.memory.words[spte]
    if entry & PRESENT:
        unlink(vm, page, spte, entry)
    vm.memory.put(spte, 0, ev.ZAP_SPTE)


def unlink(vm, page, spte, entry):
    if page.level == 1:
        vm.rmap.remove(spte)
    else:
        vm.parents.remove(child(vm, entry), spte)


def child(vm, entry):
    return vm.pool.pages[((entry & BASE_MASK) >> PAGE_SHIFT) - FIRST_SHADOW]
