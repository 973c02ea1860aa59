# SPDX-License-Identifier: GPL-2.0-only
"""A function for each check, and one for each question that a check asks."""

from collections import Counter

from kvmmmu_lab.inspect.paths import guest_path
from kvmmmu_lab.mmu.bits import BASE_MASK, PAGE_SHIFT, PRESENT, WRITABLE, canonical
from kvmmmu_lab.mmu.memory import FIRST_SHADOW, PAE_ROOT
from kvmmmu_lab.mmu.shadow import entries_with


def audit(vm):
    return list({*check_rmap(vm), *check_wp(vm), *check_map(vm)})


def check_rmap(vm):
    should, have = writable_leaves(vm), noted(vm)
    return [("rmap", spte) for _, spte in (should - have) | (have - should)]


def check_wp(vm):
    writable = {hfn for hfn, _ in writable_leaves(vm)}
    tables = [page.gfn for page in vm.pool.active if not page.metaphysical]
    return [("wp", gfn) for gfn in tables if vm.memory.frames[gfn] in writable]


def check_map(vm):
    return [("map", gva) for gva, spte in mappings(vm) if guest_path(vm, gva).hfn != frame(vm, spte)]


def frame(vm, spte):
    return (vm.memory.words[spte] & BASE_MASK) >> PAGE_SHIFT


def writable_leaves(vm):
    """Count (hfn, spte) of all entries that belong into a reverse map."""
    found = Counter()
    for page in vm.pool.active:
        if page.level == 1:
            for spte in entries_with(vm, page):
                if vm.memory.words[spte] & WRITABLE:
                    found[frame(vm, spte), spte] += 1
    return found


def noted(vm):
    """Count (hfn, spte) of all entries that are in a reverse map."""
    return Counter((hfn, spte) for hfn in vm.rmap.frames() for spte in vm.rmap.sptes(hfn))


def mappings(vm):
    """Yield (gva, spte) of all leaves that the root leads to."""
    if vm.root_level == 4:
        yield from below(vm, vm.root >> PAGE_SHIFT, 4, 0)
    else:
        for slot in range(4):
            spte = PAE_ROOT << 9 | slot
            if vm.memory.words[spte] & PRESENT:
                yield from below(vm, frame(vm, spte), 2, slot << 30)


def below(vm, hfn, level, first):
    """Yield (gva, spte) of all leaves below a table at a level that maps addresses from the first one on."""
    for spte in entries_with(vm, vm.pool.pages[hfn - FIRST_SHADOW]):
        gva = first + ((spte & 511) << PAGE_SHIFT + 9 * (level - 1))
        if level == 1:
            yield canonical(gva), spte
        else:
            yield from below(vm, frame(vm, spte), level - 1, gva)
