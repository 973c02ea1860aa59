# SPDX-License-Identifier: GPL-2.0-only
"""numpy works on all shadow pages at once; the levels are followed table by table."""

from collections import Counter

import numpy as np

from kvmmmu_lab.inspect.paths import guest_path
from kvmmmu_lab.mmu.bits import BASE_MASK, INVALID_PAGE, canonical
from kvmmmu_lab.mmu.memory import FIRST_SHADOW, PAE_ROOT

BASE = np.uint64(BASE_MASK)


def audit(vm):
    memory = vm.memory
    ones = [page.id for page in vm.pool.active if page.level == 1]
    table = memory.pages[[FIRST_SHADOW + id for id in ones]]
    rows, columns = np.nonzero((table & np.uint64(3)) == 3)
    hfns = (table[rows, columns] & BASE) >> np.uint64(12)
    sptes = [(FIRST_SHADOW + ones[row]) * 512 + column for row, column in zip(rows.tolist(), columns.tolist(), strict=True)]
    should = dict(zip(sptes, hfns.tolist(), strict=True))
    noted = {}
    for hfn in vm.rmap.frames():
        for spte in vm.rmap.sptes(hfn):
            noted.setdefault(spte, []).append(hfn)
    wrong = [spte for spte in {*should, *noted} if noted.get(spte) != ([should[spte]] if spte in should else None)]
    by_frame = Counter(should.values())
    tables = {page.gfn for page in vm.pool.active if not page.metaphysical}
    opened = [gfn for gfn in tables if by_frame[memory.frames[gfn]]]
    level = {0: {vm.root >> 12}} if vm.root_level == 4 else {}
    if vm.root_level != 4:
        for slot, entry in enumerate(memory.pages[PAE_ROOT][:4].tolist()):
            if entry & 1 and entry != INVALID_PAGE:
                level[slot << 30] = {(entry & BASE_MASK) >> 12}
    for height in range(4 if vm.root_level == 4 else 2, 0, -1):
        below = {}
        for gva, (hfn,) in level.items():
            page = memory.pages[hfn]
            for index in np.flatnonzero(page & np.uint64(1)).tolist():
                below[gva + (index << 3 + 9 * height)] = {(int(page[index]) & BASE_MASK) >> 12}
        level = below
    misled = [canonical(gva) for gva, (hfn,) in level.items() if guest_path(vm, canonical(gva)).hfn != hfn]
    return [("rmap", spte) for spte in wrong] + [("wp", gfn) for gfn in opened] + [("map", gva) for gva in misled]
