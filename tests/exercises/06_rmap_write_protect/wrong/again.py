# SPDX-License-Identifier: GPL-2.0-only


class always_flushes(lists.ReverseMap):
    """It flushes the TLB even if there is no entry to protect."""

    def write_protect(self, gfn):
        if not self.sptes(self.vm.memory.frames[gfn]):
            self.vm.flush_tlb()
        for spte in list(self.sptes(self.vm.memory.frames[gfn])):
            self.protect(spte)


class protects_once(lists.ReverseMap):
    """It protects each frame only once."""

    def __init__(self, vm):
        self.vm = vm
        self.lists = {}
        self.tables = set()

    def write_protect(self, gfn):
        hfn = self.vm.memory.frames[gfn]
        if hfn in self.tables:
            return
        self.tables.add(hfn)
        for spte in list(self.sptes(self.vm.memory.frames[gfn])):
            self.protect(spte)


class refuses_later_adds(lists.ReverseMap):
    """It remembers that the frame is a page table, and never adds an entry of it again."""

    def __init__(self, vm):
        self.vm = vm
        self.lists = {}
        self.tables = set()

    def add(self, spte):
        hfn = self.frame(spte)
        if hfn is not None and hfn not in self.tables:
            self.lists.setdefault(hfn, []).append(spte)

    def remove(self, spte):
        hfn = self.frame(spte)
        if hfn is not None and spte in self.lists.get(hfn, []):
            self.lists[hfn].remove(spte)
            if not self.lists[hfn]:
                del self.lists[hfn]

    def write_protect(self, gfn):
        self.tables.add(self.vm.memory.frames[gfn])
        for spte in list(self.sptes(self.vm.memory.frames[gfn])):
            self.protect(spte)


class unknown_frame(lists.ReverseMap):
    """It raises KeyError for a frame without a map."""

    def write_protect(self, gfn):
        for spte in list(self.lists[self.vm.memory.frames[gfn]]):
            self.protect(spte)
