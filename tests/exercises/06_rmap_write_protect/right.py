# SPDX-License-Identifier: GPL-2.0-only
"""The right solutions of 05, which learn to write-protect a frame."""

from kvmmmu_lab.mmu import events as ev
from kvmmmu_lab.mmu.bits import WRITABLE
from kvmmmu_lab.mmu.events import PROTECT_SPTE


class descriptors(rmap_remove.descriptors.ReverseMap):
    def write_protect(self, gfn):
        hfn = self.vm.memory.frames[gfn]
        while hfn in self.kept:
            first = self.kept[hfn] if isinstance(self.kept[hfn], int) else self.kept[hfn][0][0]
            self.remove(first)
            self.vm.flush_tlb()
            self.vm.memory.put(first, self.vm.memory.words[first] & ~WRITABLE, ev.PROTECT_SPTE)


class linked(rmap_remove.linked.ReverseMap):
    def write_protect(self, gfn):
        hfn = self.vm.memory.frames[gfn]
        while hfn in self.newest:
            spte = self.newest[hfn]
            self.remove(spte)
            self.vm.flush_tlb()
            self.vm.memory.put(spte, self.vm.memory.words[spte] - WRITABLE, ev.PROTECT_SPTE)


class lists(rmap_remove.lists.ReverseMap):
    def write_protect(self, gfn):
        for spte in list(self.sptes(self.vm.memory.frames[gfn])):
            self.protect(spte)

    def protect(self, spte):
        self.remove(spte)
        self.vm.flush_tlb()
        self.vm.memory.put(spte, self.vm.memory.words[spte] & ~WRITABLE, ev.PROTECT_SPTE)


class pairs(rmap_remove.pairs.ReverseMap):
    def __init__(self, vm):
        self.memory, self.pairs = vm.memory, []
        self.flush = vm.flush_tlb

    def write_protect(self, gfn):
        hfn = self.memory.frames[gfn]
        while sptes := self.sptes(hfn):
            self.remove(sptes[-1])
            self.flush()
            self.memory.put(sptes[-1], self.memory.words[sptes[-1]] & ~WRITABLE, ev.PROTECT_SPTE)


class rescan(rmap_remove.rescan.ReverseMap):
    def write_protect(self, gfn):
        for spte in self.sptes(self.vm.memory.frames[gfn]):
            self.vm.flush_tlb()
            self.vm.memory.put(spte, self.vm.memory.words[spte] & ~WRITABLE, ev.PROTECT_SPTE)


class sets(rmap_remove.sets.ReverseMap):
    def write_protect(self, gfn):
        vm = self.vm
        taken = self.found.pop(vm.memory.frames[gfn], set())
        while taken:
            spte = taken.pop()
            vm.flush_tlb()
            vm.memory.put(spte, vm.memory.words[spte] ^ 2, PROTECT_SPTE)


class any_kind_of_event(rmap_remove.lists.ReverseMap):
    """It passes a kind of event that is not about memory at all."""

    def write_protect(self, gfn):
        for spte in list(self.sptes(self.vm.memory.frames[gfn])):
            self.remove(spte)
            self.vm.flush_tlb()
            self.vm.memory.put(spte, self.vm.memory.words[spte] & ~WRITABLE, ev.FLUSH)


class no_kind_of_event(rmap_remove.sets.ReverseMap):
    """It passes no kind of event."""

    def write_protect(self, gfn):
        for spte in tuple(self.sptes(self.vm.memory.frames[gfn])):
            self.remove(spte)
            self.vm.flush_tlb()
            self.vm.memory.put(spte, self.vm.memory.words[spte] & ~WRITABLE, None)
