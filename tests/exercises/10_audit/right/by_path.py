# SPDX-License-Identifier: GPL-2.0-only
"""A generator for each kind of complaint; the mappings come from the kit's tree of shadow tables."""

from kvmmmu_lab.inspect.paths import guest_path, shadow_path, shadow_tree
from kvmmmu_lab.mmu.bits import BASE_MASK, WRITABLE
from kvmmmu_lab.mmu.memory import FIRST_SHADOW
from kvmmmu_lab.mmu.shadow import entries_with


def audit(vm):
    yield from {("rmap", spte) for spte in rmaps(vm)}
    yield from {("wp", gfn) for gfn in tables(vm)}
    yield from {("map", gva) for gva in mappings(vm)}


def targets(vm):
    """By entry that can write: its frame."""
    pages = [page for page in vm.pool.active if page.level == 1]
    words = vm.memory.words
    return {s: (words[s] & BASE_MASK) >> 12 for page in pages for s in entries_with(vm, page) if words[s] & WRITABLE}


def rmaps(vm):
    left = targets(vm)
    for hfn in vm.rmap.frames():
        for spte in vm.rmap.sptes(hfn):
            if left.pop(spte, None) != hfn:
                yield spte
    yield from left


def tables(vm):
    writable = {*targets(vm).values()}
    return (page.gfn for page in vm.pool.active if not page.metaphysical and vm.memory.frames[page.gfn] in writable)


def mappings(vm):
    tree = shadow_tree(vm)
    root = next(iter(tree))
    todo = [(root, 0)]
    while todo:
        key, gva = todo.pop()
        branch = tree[key]
        if branch.level > 1:
            shift = 3 + 9 * branch.level
            todo += [(below, gva + (index << shift)) for index, below in branch.links]
            continue
        for spte in entries_with(vm, vm.pool.pages[branch.number]):
            at = gva + ((spte & 511) << 12)
            at = at - (1 << 48) + (1 << 64) if at >> 47 else at
            assert shadow_path(vm, at).steps[-1].number == (spte >> 9) - FIRST_SHADOW
            if shadow_path(vm, at).hfn != guest_path(vm, at).hfn:
                yield at
