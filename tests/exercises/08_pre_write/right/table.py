# SPDX-License-Identifier: GPL-2.0-only
"""Two tables of functions, by the kind of write and by the kind of entry."""

from kvmmmu_lab.mmu import events as ev
from kvmmmu_lab.mmu.bits import BASE_MASK, PAGE_SHIFT, PRESENT
from kvmmmu_lab.mmu.memory import FIRST_SHADOW
from kvmmmu_lab.mmu.shadow import zap_page

ENTRY_OF = [byte // 8 for byte in range(4096)]


def leaf(vm, spte, entry):
    vm.rmap.remove(spte)


def link(vm, spte, entry):
    below = (entry & BASE_MASK) // 4096 - FIRST_SHADOW
    vm.parents.remove(next(page for page in vm.pool.pages if page.id == below), spte)


def nothing(vm, spte, entry):
    pass


UNHOOK = {(level, present): nothing for level in (1, 2, 3, 4) for present in (False, True)}
UNHOOK |= {(1, True): leaf, (2, True): link, (3, True): link, (4, True): link}


def one_entry(vm, page, index):
    spte = page.spte + index
    entry = vm.memory.words[spte]
    UNHOOK[page.level, bool(entry & PRESENT)](vm, spte, entry)
    vm.memory.put(spte, 0, ev.ZAP_SPTE)


def whole_page(vm, page, index):
    zap_page(vm, page)


ACT = {False: one_entry, True: whole_page}


def pre_write(vm, gpa, size):
    gfn = gpa >> PAGE_SHIFT
    touched = {ENTRY_OF[byte & 4095] for byte in range(gpa, gpa + size)}
    rows = {True: vm.last_pt_write_count + 1, False: 1}
    vm.last_pt_write_count = rows[gfn == vm.last_pt_write_gfn]
    vm.last_pt_write_gfn = gfn
    act = ACT[len(touched) == 2 or vm.last_pt_write_count >= 3]
    for page in vm.pool.bucket(gfn).copy():
        if not page.metaphysical and page.gfn == gfn:
            act(vm, page, min(touched))
