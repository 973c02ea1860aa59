# SPDX-License-Identifier: GPL-2.0-only
"""It goes from the maps to the entries, and then asks each entry what is right; one dict of complaints."""

from kvmmmu_lab.inspect.paths import guest_path
from kvmmmu_lab.mmu.bits import BASE_MASK, PRESENT, WRITABLE, canonical
from kvmmmu_lab.mmu.memory import FIRST_SHADOW, PAE_ROOT

BOTH = PRESENT | WRITABLE


def audit(vm):
    words, complaints = vm.memory.words, {}
    active = {page.id: page for page in vm.pool.active}

    def counts(spte):
        page = active.get((spte >> 9) - FIRST_SHADOW)
        return page is not None and page.level == 1 and words[spte] & BOTH == BOTH

    times = {}
    for hfn in vm.rmap.frames():
        for spte in vm.rmap.sptes(hfn):
            times[spte] = times.get(spte, 0) + 1
            if not counts(spte) or words[spte] >> 12 & (1 << 40) - 1 != hfn:
                complaints["rmap", spte] = True
    frames = {}
    for page in active.values():
        for spte in range(page.spte, page.spte + 512):
            if counts(spte):
                frames[(words[spte] & BASE_MASK) >> 12] = spte
                if times.get(spte) != 1:
                    complaints["rmap", spte] = True
    for page in active.values():
        if not page.metaphysical:
            hfn = vm.memory.frames[page.gfn]
            if hfn is not None and hfn in frames:
                complaints["wp", page.gfn] = True

    def look(spte, level, gva):
        entry = words[spte]
        if entry & PRESENT:
            if level == 0:
                at = canonical(gva)
                if guest_path(vm, at).hfn != (entry & BASE_MASK) >> 12:
                    complaints["map", at] = True
                return
            first = (entry & BASE_MASK) >> 3
            for index in range(512):
                look(first + index, level - 1, gva | index << 3 + 9 * level)

    if vm.root_level == 4:
        for index in range(512):
            look((vm.root >> 3) + index, 3, index << 39)
    else:
        for slot in range(4):
            look(PAE_ROOT * 512 + slot, 2, slot << 30)
    return sorted(complaints)
