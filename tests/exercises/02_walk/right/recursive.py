# SPDX-License-Identifier: GPL-2.0-only
"""Recursion, with a format object for each mode."""

from dataclasses import dataclass

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


@dataclass
class Format:
    memory: object
    put: object
    bits: int
    frame_bits: int

    def gfn(self, entry):
        return entry % (1 << self.frame_bits) >> 12

    def index(self, gva, level):
        return gva >> 12 + self.bits * (level - 1) & (1 << self.bits) - 1


def walk(vm, gva, write, user, fetch):
    memory = vm.memory
    wide = vm.root_level != 2
    form = Format(memory.words, memory.put, 9, 52) if wide else Format(memory.halves, memory.put_half, 10, 32)
    code = (PFERR_WRITE if write else 0) | (PFERR_USER if user else 0) | (PFERR_FETCH if fetch else 0)
    tables = {}

    def denies(entry):
        if user and not entry & USER:
            return True
        if write and not entry & WRITABLE:
            return bool(user or vm.cpu.cr0 & CR0_WP)
        return bool(fetch and wide and vm.cpu.efer & EFER_NX and entry & NX)

    def down(level, gfn, rights):
        tables[level] = gfn
        hfn = memory.frames[gfn]
        if hfn is None:
            return Walk(level, tables, 0, 0, 0, code)
        at = hfn * (1 << form.bits) + form.index(gva, level)
        entry = form.memory[at]
        if not entry & PRESENT:
            return Walk(level, tables, 0, 0, 0, code)
        if denies(entry):
            return Walk(level, tables, 0, 0, 0, code | PFERR_PRESENT)
        if not entry & ACCESSED:
            form.put(at, entry + ACCESSED, ev.GUEST_ACCESSED)
            memory.mark_dirty(gfn)
        target = form.gfn(entry)
        if level == 1:
            return Walk(1, tables, at, rights, target, None)
        if level == 2 and entry & LARGE and (wide or vm.cpu.cr4 & CR4_PSE):
            return Walk(2, tables, at, rights, target >> form.bits << form.bits | form.index(gva, 1), None)
        return down(level - 1, target, rights & entry)

    if vm.root_level != 3:
        return down(vm.root_level, form.gfn(vm.cpu.cr3), WRITABLE | USER)
    top = vm.cpu.pdptrs[gva >> 30 & 3]
    if top & PRESENT:
        return down(2, form.gfn(top), WRITABLE | USER)
    return Walk(3, tables, 0, 0, 0, code)
