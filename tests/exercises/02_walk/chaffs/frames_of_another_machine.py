# SPDX-License-Identifier: GPL-2.0-only
"""Remembers where frames are for all machines."""

# breaks: way

from kvmmmu_lab.mmu import events as ev
from kvmmmu_lab.mmu.bits import (
    ACCESSED,
    CR0_WP,
    CR4_PSE,
    EFER_NX,
    LARGE,
    NX,
    PFERR_FETCH,
    PFERR_PRESENT,
    PFERR_USER,
    PFERR_WRITE,
    PRESENT,
    USER,
    WRITABLE,
)
from kvmmmu_lab.mmu.walk import Walk

MASK64 = 0x000FFFFFFFFFF000
MASK32 = 0xFFFFF000


FRAMES = {}


def walk(vm, gva, write, user, fetch):
    memory, cpu = vm.memory, vm.cpu
    code = (PFERR_WRITE if write else 0) | (PFERR_USER if user else 0) | (PFERR_FETCH if fetch else 0)
    tables = [None] * 5
    rights = WRITABLE | USER

    if vm.root_level == 2:
        wide, bits, mask = False, 10, MASK32
    else:
        wide, bits, mask = True, 9, MASK64
    level = 2
    if vm.root_level == 4:
        level = 4
        gfn = (cpu.cr3 & mask) >> 12
    elif vm.root_level == 3:
        pdpte = cpu.pdptrs[gva >> 30 & 3]
        if not pdpte & PRESENT:
            return Walk(3, tables, None, rights, None, code)
        gfn = (pdpte & mask) >> 12
    else:
        gfn = (cpu.cr3 & mask) >> 12

    while True:
        tables[level] = gfn
        index = gva >> (12 + bits * (level - 1)) & ((1 << bits) - 1)
        if gfn not in FRAMES:
            FRAMES[gfn] = memory.frames[gfn]
        hfn = FRAMES[gfn]
        at, entry = None, 0
        if hfn is not None:
            at = (hfn << bits) + index
            entry = memory.words[at] if wide else memory.halves[at]
        if not entry & PRESENT:
            return Walk(level, tables, at, rights, None, code)
        refused = False
        if write and not entry & WRITABLE and (user or cpu.cr0 & CR0_WP):
            refused = True
        if user and not entry & USER:
            refused = True
        if fetch and wide and cpu.efer & EFER_NX and entry & NX:
            refused = True
        if refused:
            return Walk(level, tables, at, rights, None, code | PFERR_PRESENT)
        if not entry & ACCESSED:
            memory.mark_dirty(gfn)
            if wide:
                memory.put(at, entry | ACCESSED, ev.GUEST_ACCESSED)
            else:
                memory.put_half(at, entry | ACCESSED, ev.GUEST_ACCESSED)
        frame = (entry & mask) >> 12
        if level == 1:
            return Walk(level, tables, at, rights, frame, None)
        if level == 2 and entry & LARGE and (wide or cpu.cr4 & CR4_PSE):
            low = (1 << bits) - 1
            frame = (frame & ~low) | (gva >> 12 & low)
            return Walk(level, tables, at, rights, frame, None)
        rights &= entry
        gfn = frame
        level -= 1
