# SPDX-License-Identifier: GPL-2.0-only
"""Loops over indexes and lists, without helpers of the kit but the guest's path."""

from kvmmmu_lab.inspect.paths import guest_path

FRAME = 0x000FFFFFFFFFF000


def audit(vm):
    words = vm.memory.words
    complaints = []

    def complain(kind, where):
        if (kind, where) not in complaints:
            complaints.append((kind, where))

    leaves = {}
    for page in vm.pool.active:
        if page.role >> 4 & 15 == 1:
            for index in range(512):
                entry = words[page.spte + index]
                if entry & 1:
                    leaves[page.spte + index] = entry
    for spte, entry in leaves.items():
        if entry & 2:
            noted = [other for other in vm.rmap.sptes((entry & FRAME) // 4096) if other == spte]
            if len(noted) != 1:
                complain("rmap", spte)
    for hfn in vm.rmap.frames():
        for spte in vm.rmap.sptes(hfn):
            entry = leaves.get(spte, 0)
            if entry & 3 != 3 or (entry & FRAME) // 4096 != hfn:
                complain("rmap", spte)
    for page in vm.pool.active:
        if not page.role >> 16 & 1:
            for entry in leaves.values():
                if entry & 2 and (entry & FRAME) // 4096 == vm.memory.frames[page.gfn]:
                    complain("wp", page.gfn)
    for gva, hfn in mapped(vm, leaves):
        if guest_path(vm, gva).hfn != hfn:
            complain("map", gva)
    return complaints


def mapped(vm, leaves):
    if vm.root_level == 4:
        todo = [(4, vm.root, 0)]
    else:
        slots = [vm.memory.words[1024 + slot] for slot in range(4)]
        todo = [(2, entry & FRAME, slot * 2**30) for slot, entry in enumerate(slots) if entry & 1]
    while todo:
        level, table, gva = todo.pop()
        for index in range(512):
            spte = table // 8 + index
            entry, at = vm.memory.words[spte], gva + index * 4096 * 512 ** (level - 1)
            if entry & 1:
                if level > 1:
                    todo.append((level - 1, entry & FRAME, at))
                else:
                    if at >= 2**47:
                        at += 2**64 - 2**48
                    yield at, (entry & FRAME) // 4096
