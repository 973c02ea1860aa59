# SPDX-License-Identifier: GPL-2.0-only
"""Everything that an access needs of an entry is in one mask; memory is read byte by byte."""

from kvmmmu_lab.mmu import events as ev
from kvmmmu_lab.mmu.walk import Walk

SHAPES = {4: (8, 9, 52), 3: (8, 9, 52), 2: (4, 10, 32)}


def walk(vm, gva, write, user, fetch):
    size, bits, top = SHAPES[vm.root_level]
    memory, cpu = vm.memory, vm.cpu
    asked = wanted = 0
    if write and (user or cpu.cr0 >> 16 & 1):
        asked, wanted = asked | 2, wanted | 2
    if user:
        asked, wanted = asked | 4, wanted | 4
    if fetch and size == 8 and cpu.efer >> 11 & 1:
        asked |= 1 << 63
    error = write << 1 | user << 2 | fetch << 4
    passed = {}
    levels = list(range(vm.root_level, 0, -1))
    pointer = cpu.cr3
    if vm.root_level == 3:
        levels = [2, 1]
        pointer = cpu.pdptrs[(gva & 0xFFFFFFFF) >> 30]
        if pointer & 1 == 0:
            return Walk(3, passed, 0, 0, 0, error)
    common = 6
    for level in levels:
        gfn = (pointer & (1 << top) - 1) >> 12
        passed[level] = gfn
        index = gva >> 12 >> bits * (level - 1) & (1 << bits) - 1
        hfn = memory.frames[gfn]
        first = 0 if hfn is None else (hfn << 12) + index * size
        entry = 0 if hfn is None else int.from_bytes(memory.bytes[first : first + size], "little")
        if entry & 1 == 0:
            return Walk(level, passed, 0, 0, 0, error)
        if entry & asked != wanted:
            return Walk(level, passed, 0, 0, 0, error | 1)
        if not entry & 32:
            memory.mark_dirty(gfn)
            if size == 8:
                memory.put(first // 8, entry | 32, ev.GUEST_ACCESSED)
            else:
                memory.put_half(first // 4, entry | 32, ev.GUEST_ACCESSED)
        pointer = entry
        if level == 2 and entry & 128 and (size == 8 or cpu.cr4 & 16):
            break
        if level > 1:
            common &= entry
    gfn = (pointer & (1 << top) - 1) >> 12
    if level == 2:
        gfn = gfn >> bits << bits | gva >> 12 & (1 << bits) - 1
    return Walk(level, passed, first // size, common, gfn, None)
