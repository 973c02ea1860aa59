# SPDX-License-Identifier: GPL-2.0-only
"""A metaphysical page hides a table of the same gfn."""

# breaks: tables

from collections import Counter

from kvmmmu_lab.inspect.paths import guest_path
from kvmmmu_lab.mmu.bits import BASE_MASK, PAGE_SHIFT, PRESENT, WRITABLE, canonical
from kvmmmu_lab.mmu.memory import FIRST_SHADOW, PAE_ROOT
from kvmmmu_lab.mmu.shadow import entries_with


def frame_of(entry):
    return (entry & BASE_MASK) >> PAGE_SHIFT


def writable_leaves(vm):
    words = vm.memory.words
    want = Counter()
    for page in vm.pool.active:
        if page.level != 1:
            continue
        for spte in entries_with(vm, page):
            entry = words[spte]
            if entry & WRITABLE:
                want[frame_of(entry), spte] += 1
    return want


def noted(vm):
    have = Counter()
    for hfn in set(vm.rmap.frames()):
        for spte in vm.rmap.sptes(hfn):
            have[hfn, spte] += 1
    return have


def go_down(vm, page, level, base, complaints):
    words = vm.memory.words
    for spte in entries_with(vm, page):
        gva = base + ((spte - page.spte) << 3 + 9 * level)
        if level > 1:
            go_down(vm, vm.pool.pages[frame_of(words[spte]) - FIRST_SHADOW], level - 1, gva, complaints)
        else:
            gva = canonical(gva)
            if guest_path(vm, gva).hfn != frame_of(words[spte]):
                complaints.add(("map", gva))


def audit(vm):
    words = vm.memory.words
    complaints = set()
    # rmap
    want, have = writable_leaves(vm), noted(vm)
    for _, spte in (want - have) + (have - want):
        complaints.add(("rmap", spte))
    # wp
    written = {hfn for hfn, _ in want}
    by_gfn = {page.gfn: page for page in sorted(vm.pool.active, key=lambda page: page.metaphysical)}
    for page in by_gfn.values():
        if page.metaphysical:
            continue
        if vm.memory.frames[page.gfn] in written:
            complaints.add(("wp", page.gfn))
    # map
    if vm.root_level == 4:
        go_down(vm, vm.pool.pages[(vm.root >> PAGE_SHIFT) - FIRST_SHADOW], 4, 0, complaints)
    else:
        for i in range(4):
            slot = words[PAE_ROOT * 512 + i]
            if slot & PRESENT:
                go_down(vm, vm.pool.pages[frame_of(slot) - FIRST_SHADOW], 2, i << 30, complaints)
    return list(complaints)
