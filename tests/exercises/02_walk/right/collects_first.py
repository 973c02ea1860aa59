# SPDX-License-Identifier: GPL-2.0-only
"""All entries on the way are collected, then checked; the accessed bits are set at the end."""

from kvmmmu_lab.mmu import events as ev
from kvmmmu_lab.mmu.bits import BASE_MASK
from kvmmmu_lab.mmu.walk import Walk

P, W, U, A, PS, NX = 1, 2, 4, 32, 128, 1 << 63


def start(vm, gva):
    if vm.root_level != 3:
        return vm.root_level, vm.cpu.cr3
    return 2, vm.cpu.pdptrs[gva >> 30 & 3]


def way(vm, gva, bits):
    """(level, gfn of the table, place, entry) of each entry on the way, the first absent one included."""
    level, root = start(vm, gva)
    mask = BASE_MASK if bits == 9 else 0xFFFFF000
    gfn, found = (root & mask) >> 12, []
    while level:
        hfn = vm.memory.frames[gfn]
        at = None if hfn is None else (hfn << bits) + (gva >> 12 + bits * (level - 1)) % (1 << bits)
        entry = 0 if at is None else (vm.memory.words if bits == 9 else vm.memory.halves)[at]
        found.append((level, gfn, at, entry))
        if not entry & P or (level == 2 and entry & PS and (bits == 9 or vm.cpu.cr4 & 16)):
            break
        gfn, level = (entry & mask) >> 12, level - 1
    return found, mask


def walk(vm, gva, write, user, fetch):
    bits = 10 if vm.root_level == 2 else 9
    error = (2 if write else 0) + (4 if user else 0) + (16 if fetch else 0)
    if vm.root_level == 3 and not start(vm, gva)[1] & P:
        return Walk(3, [], 0, 0, 0, error)
    found, mask = way(vm, gva, bits)
    tables = {level: gfn for level, gfn, _, _ in found}
    passed, ends = [], None
    for level, gfn, at, entry in found:
        if not entry & P:
            ends = Walk(level, tables, at, 0, 0, error)
        elif (
            (user and not entry & U)
            or (write and not entry & W and (user or vm.cpu.cr0 & 1 << 16))
            or (fetch and bits == 9 and vm.cpu.efer & 1 << 11 and entry & NX)
        ):
            ends = Walk(level, tables, at, 0, 0, error + 1)
        if ends is not None:
            break
        passed.append((gfn, at, entry))
    for gfn, at, entry in passed:
        if not entry & A:
            vm.memory.mark_dirty(gfn)
            (vm.memory.put if bits == 9 else vm.memory.put_half)(at, entry | A, ev.GUEST_ACCESSED)
    if ends is not None:
        return ends
    rights = W | U
    for _, _, _, entry in found[:-1]:
        rights &= entry
    level, _, at, entry = found[-1]
    gfn = (entry & mask) >> 12
    if level == 2:
        within = (1 << bits) - 1
        gfn = (gfn | within) ^ within | gva >> 12 & within
    return Walk(level, tables, at, rights, gfn, None)
