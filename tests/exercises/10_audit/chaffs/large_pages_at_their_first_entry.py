# SPDX-License-Identifier: GPL-2.0-only
"""Of a large page only the first entry is compared."""

# breaks: everywhere

from collections import defaultdict
from dataclasses import dataclass, field

from kvmmmu_lab.inspect.paths import guest_path
from kvmmmu_lab.mmu.bits import BASE_MASK, PAGE_SHIFT, PRESENT, WRITABLE, canonical
from kvmmmu_lab.mmu.memory import FIRST_SHADOW, PAE_ROOT
from kvmmmu_lab.mmu.shadow import entries_with


@dataclass(frozen=True, order=True)
class Leaf:
    hfn: int
    spte: int


@dataclass
class Survey:
    leaves: set = field(default_factory=set)
    notes: list = field(default_factory=list)
    tables: set = field(default_factory=set)


def survey(vm):
    s = Survey()
    for page in vm.pool.active:
        if not page.metaphysical:
            s.tables.add(page.gfn)
        if page.level == 1:
            for spte in entries_with(vm, page):
                entry = vm.memory.words[spte]
                if entry & WRITABLE:
                    s.leaves.add(Leaf((entry & BASE_MASK) >> PAGE_SHIFT, spte))
    for hfn in set(vm.rmap.frames()):
        s.notes += [Leaf(hfn, spte) for spte in vm.rmap.sptes(hfn)]
    return s


def bad_sptes(s):
    bad = {leaf.spte for leaf in s.leaves.symmetric_difference(s.notes)}
    notes = sorted(s.notes)
    bad.update(a.spte for a, b in zip(notes, notes[1:], strict=False) if a == b)  # noqa: RUF007
    return bad


def bad_gvas(vm):
    words = vm.memory.words
    reached = defaultdict(set)
    if vm.root_level == 4:
        level = 4
        reached[(vm.root >> PAGE_SHIFT) - FIRST_SHADOW].add(0)
    else:
        level = 2
        for i in range(4):
            slot = words[PAE_ROOT * 512 + i]
            if slot & PRESENT:
                reached[((slot & BASE_MASK) >> PAGE_SHIFT) - FIRST_SHADOW].add(i << 30)
    while level > 1:
        below = defaultdict(set)
        for number, firsts in reached.items():
            for spte in entries_with(vm, vm.pool.pages[number]):
                child = ((words[spte] & BASE_MASK) >> PAGE_SHIFT) - FIRST_SHADOW
                below[child] |= {first + (spte % 512 << 3 + 9 * level) for first in firsts}
        reached, level = below, level - 1
    bad = set()
    for number, firsts in reached.items():
        page = vm.pool.pages[number]
        for spte in entries_with(vm, page)[: 1 if page.metaphysical and vm.root_level else 512]:
            hfn = (words[spte] & BASE_MASK) >> PAGE_SHIFT
            for first in firsts:
                gva = canonical(first + (spte % 512 << 12))
                if guest_path(vm, gva).hfn != hfn:
                    bad.add(gva)
    return bad


def audit(vm):
    s = survey(vm)
    writable_frames = {leaf.hfn for leaf in s.leaves}
    found = [("rmap", spte) for spte in sorted(bad_sptes(s))]
    found += [("wp", gfn) for gfn in sorted(s.tables) if vm.memory.frames[gfn] in writable_frames]
    found += [("map", gva) for gva in sorted(bad_gvas(vm))]
    return found
