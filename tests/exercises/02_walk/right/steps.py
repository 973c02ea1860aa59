# SPDX-License-Identifier: GPL-2.0-only
"""The loop in words, and a function for each question that it asks."""

from kvmmmu_lab.mmu import events as ev
from kvmmmu_lab.mmu.walk import Walk

PRESENT, WRITABLE, USER, ACCESSED, LARGE, NX = 1, 2, 4, 1 << 5, 1 << 7, 1 << 63


def walk(vm, gva, write, user, fetch):
    code = error_code(write, user, fetch)
    tables, rights = [None] * 5, WRITABLE | USER
    level, gfn = root(vm, gva)
    if gfn is None:
        return Walk(level, tables, None, 0, 0, code)
    while True:
        tables[level] = gfn
        at = place(vm, gfn, gva, level)
        if at is None:
            return Walk(level, tables, None, rights, 0, code)
        entry = entry_at(vm, at)
        if not entry & PRESENT:
            return Walk(level, tables, at, rights, 0, code)
        if refused(vm, entry, write, user, fetch):
            return Walk(level, tables, at, rights, 0, code | PRESENT)
        set_accessed(vm, gfn, at, entry)
        if level == 1 or is_large(vm, entry, level):
            return Walk(level, tables, at, rights, target(vm, gva, entry, level), None)
        rights &= entry
        level, gfn = level - 1, frame(vm, entry)


def error_code(write, user, fetch):
    return 2 * bool(write) + 4 * bool(user) + 16 * bool(fetch)


def root(vm, gva):
    """The level and the gfn of the first table; no gfn, if the PDPTE is not present."""
    if vm.root_level != 3:
        return vm.root_level, frame(vm, vm.cpu.cr3)
    pdpte = vm.cpu.pdptrs[gva >> 30 & 3]
    return (2, frame(vm, pdpte)) if pdpte & PRESENT else (3, None)


def small(vm):
    return vm.root_level == 2


def index_bits(vm):
    return 10 if small(vm) else 9


def place(vm, gfn, gva, level):
    hfn = vm.memory.frames[gfn]
    return None if hfn is None else (hfn << index_bits(vm)) + index(vm, gva, level)


def index(vm, gva, level):
    bits = index_bits(vm)
    return gva >> 12 + bits * (level - 1) & (1 << bits) - 1


def entry_at(vm, at):
    return vm.memory.halves[at] if small(vm) else vm.memory.words[at]


def refused(vm, entry, write, user, fetch):
    if write and not entry & WRITABLE and (user or vm.cpu.cr0 >> 16 & 1):
        return True
    if user and not entry & USER:
        return True
    return fetch and no_execute(vm, entry)


def no_execute(vm, entry):
    return entry & NX and not small(vm) and vm.cpu.efer >> 11 & 1


def set_accessed(vm, gfn, at, entry):
    if not entry & ACCESSED:
        vm.memory.mark_dirty(gfn)
        put(vm, at, entry | ACCESSED)


def put(vm, at, entry):
    if small(vm):
        vm.memory.put_half(at, entry, ev.GUEST_ACCESSED)
    else:
        vm.memory.put(at, entry, ev.GUEST_ACCESSED)


def is_large(vm, entry, level):
    return level == 2 and entry & LARGE and (not small(vm) or vm.cpu.cr4 >> 4 & 1)


def frame(vm, entry):
    return (entry & (0xFFFFF000 if small(vm) else 0x000FFFFFFFFFF000)) >> 12


def target(vm, gva, entry, level):
    first = frame(vm, entry)
    if level == 1:
        return first
    size = 1 << index_bits(vm)
    return first // size * size + (gva >> 12) % size
