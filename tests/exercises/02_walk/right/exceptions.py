# SPDX-License-Identifier: GPL-2.0-only
"""A refusal is an exception; a generator yields the entries on the way."""

from kvmmmu_lab.mmu import events as ev
from kvmmmu_lab.mmu.walk import Walk


class Stop(Exception):
    pass


class Walker:
    def __init__(self, vm, gva):
        self.vm, self.gva = vm, gva
        self.size = 4 if vm.root_level == 2 else 8
        self.per_table = 4096 // self.size
        self.tables = [0, 0, 0, 0, 0]
        self.level, self.at = vm.root_level, 0

    def frame(self, entry):
        return entry // 4096 % (1 << (20 if self.size == 4 else 40))

    def number(self, level):
        return self.gva // 4096 // self.per_table ** (level - 1) % self.per_table

    def read(self):
        gfn = self.tables[self.level]
        hfn = self.vm.memory.frames[gfn]
        if hfn is None:
            raise Stop(0)
        self.at = hfn * self.per_table + self.number(self.level)
        entry = (self.vm.memory.halves if self.size == 4 else self.vm.memory.words)[self.at]
        if entry % 2 == 0:
            raise Stop(0)
        return entry

    def touch(self, entry):
        if not entry & 0x20:
            put = self.vm.memory.put_half if self.size == 4 else self.vm.memory.put
            put(self.at, entry | 0x20, ev.GUEST_ACCESSED)
            self.vm.memory.mark_dirty(self.tables[self.level])

    def large(self, entry):
        return self.level == 2 and entry & 0x80 and (self.size == 8 or self.vm.cpu.cr4 & 0x10)

    def start(self):
        cpu = self.vm.cpu
        top = cpu.cr3
        if self.level == 3:
            top = cpu.pdptrs[self.gva // 2**30 % 4]
            if not top & 1:
                raise Stop(0)
            self.level = 2
        self.tables[self.level] = self.frame(top)


def walk(vm, gva, write, user, fetch):
    walker = Walker(vm, gva)
    cpu = vm.cpu
    needs = set()
    if write and (user or cpu.cr0 & 0x10000):
        needs.add(2)
    if user:
        needs.add(4)
    forbidden = 1 << 63 if fetch and cpu.efer & 0x800 and walker.size == 8 else 0
    rights = 6
    try:
        walker.start()
        while True:
            entry = walker.read()
            if entry & forbidden or any(not entry & bit for bit in needs):
                raise Stop(1)
            walker.touch(entry)
            gfn = walker.frame(entry)
            if walker.level == 1:
                break
            if walker.large(entry):
                gfn = gfn - gfn % walker.per_table + walker.number(1)
                break
            rights &= entry & 6
            walker.level -= 1
            walker.tables[walker.level] = gfn
    except Stop as stop:
        code = stop.args[0] + 2 * write + 4 * user + 16 * fetch
        return Walk(walker.level, walker.tables, walker.at, rights, 0, code)
    return Walk(walker.level, walker.tables, walker.at, rights, gfn, None)
