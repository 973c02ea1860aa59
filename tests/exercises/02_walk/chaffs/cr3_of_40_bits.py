# SPDX-License-Identifier: GPL-2.0-only
"""Takes more than 32 bits of CR3 in a 32-bit guest."""

# breaks: modes

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

FRAME8 = 0x000F_FFFF_FFFF_F000
FRAME4 = 0xFFFF_F000


def walk(vm, gva, write, user, fetch):
    memory = vm.memory
    wide = vm.root_level != 2
    bits = 9 if wide else 10
    mask = (1 << bits) - 1
    frame_mask = FRAME8 if wide else FRAME4
    code = 0
    if write:
        code |= PFERR_WRITE
    if user:
        code |= PFERR_USER
    if fetch:
        code |= PFERR_FETCH
    rights = WRITABLE | USER
    tables = {}
    level = vm.root_level
    if level == 3:
        pdpte = vm.cpu.pdptrs[gva >> 30 & 3]
        if not pdpte & PRESENT:
            return Walk(3, tables, None, 0, 0, code)
        gfn = (pdpte & FRAME8) >> 12
        level = 2
    else:
        gfn = (vm.cpu.cr3 & FRAME8) >> 12
    while True:
        tables[level] = gfn
        index = gva >> (12 + bits * (level - 1)) & mask
        hfn = memory.frames[gfn]
        if hfn is None:
            return Walk(level, tables, None, 0, 0, code)
        at = hfn * (mask + 1) + index
        entry = memory.words[at] if wide else memory.halves[at]
        if not entry & PRESENT:
            return Walk(level, tables, at, 0, 0, code)
        refused = False
        if write and not entry & WRITABLE and (user or vm.cpu.cr0 & CR0_WP):
            refused = True
        if user and not entry & USER:
            refused = True
        if fetch and wide and entry & NX and vm.cpu.efer & EFER_NX:
            refused = True
        if refused:
            return Walk(level, tables, at, 0, 0, code | PFERR_PRESENT)
        if not entry & ACCESSED:
            memory.mark_dirty(gfn)
            if wide:
                memory.put(at, entry | ACCESSED, ev.GUEST_ACCESSED)
            else:
                memory.put_half(at, entry | ACCESSED, ev.GUEST_ACCESSED)
        frame = (entry & frame_mask) >> 12
        if level == 1:
            return Walk(1, tables, at, rights, frame, None)
        if level == 2 and entry & LARGE and (wide or vm.cpu.cr4 & CR4_PSE):
            return Walk(2, tables, at, rights, frame & ~mask | gva >> 12 & mask, None)
        rights &= entry
        gfn = frame
        level -= 1
