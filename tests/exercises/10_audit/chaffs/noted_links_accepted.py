# SPDX-License-Identifier: GPL-2.0-only
"""An entry of an upper level may be noted for the frame that it leads to."""

# breaks: invented

from kvmmmu_lab.inspect.paths import guest_path
from kvmmmu_lab.mmu.bits import BASE_MASK, PAGE_SHIFT, PRESENT, WRITABLE, canonical
from kvmmmu_lab.mmu.memory import FIRST_SHADOW, PAE_ROOT
from kvmmmu_lab.mmu.shadow import entries_with

SIZE = {1: 1 << 12, 2: 1 << 21, 3: 1 << 30, 4: 1 << 39}


def hfn_at(vm, spte):
    return (vm.memory.words[spte] & BASE_MASK) >> PAGE_SHIFT


def long_roots(vm):
    return [(vm.root >> PAGE_SHIFT, 4, 0)]


def slot_roots(vm):
    at = [PAE_ROOT * 512 + i for i in range(4)]
    return [(hfn_at(vm, spte), 2, i * SIZE[3]) for i, spte in enumerate(at) if vm.memory.words[spte] & PRESENT]


def leaves(vm):
    """spte -> hfn of all writable leaves."""
    found = {}
    for page in list(vm.pool.active):
        if page.level == 1:
            found.update({s: hfn_at(vm, s) for s in entries_with(vm, page) if vm.memory.words[s] & WRITABLE})
    return found


def translations(vm):
    """gva (canonical) -> hfn by the shadow tables."""
    found = {}
    todo = long_roots(vm) if vm.root_level == 4 else slot_roots(vm)
    for host_frame, level, first in todo:  # grows while we go
        page = vm.pool.pages[host_frame - FIRST_SHADOW]
        for spte in entries_with(vm, page):
            gva = first + (spte - page.spte) * SIZE[level]
            if level == 1:
                found[canonical(gva)] = hfn_at(vm, spte)
            else:
                todo.append((hfn_at(vm, spte), level - 1, gva))
    return found


def check_rmap(vm):
    should = leaves(vm)
    once, bad = {}, set()
    for hfn in set(vm.rmap.frames()):
        for spte in vm.rmap.sptes(hfn):
            in_use = vm.pool.pages[(spte >> 9) - FIRST_SHADOW] in vm.pool.active
            entry = vm.memory.words[spte]
            if spte in once or not in_use or entry & 3 != 3 or hfn_at(vm, spte) != hfn:
                bad.add(spte)
            once[spte] = hfn
    return bad | (should.keys() - once.keys())


def check_wp(vm):
    frames = set(leaves(vm).values())
    return {p.gfn for p in vm.pool.active if not p.metaphysical and vm.memory.frames[p.gfn] in frames}


def check_map(vm):
    return {gva for gva, hfn in translations(vm).items() if guest_path(vm, gva).hfn != hfn}


CHECKS = {"rmap": check_rmap, "wp": check_wp, "map": check_map}


def audit(vm):
    return [(text, number) for text, check in CHECKS.items() for number in check(vm)]
