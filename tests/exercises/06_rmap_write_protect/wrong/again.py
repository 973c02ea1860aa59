# SPDX-License-Identifier: GPL-2.0-only


class always_flushes(lists.ReverseMap):
    """Flushes also when there is no entry to protect."""

    def write_protect(self, gfn):
        hfn = self.vm.memory.frames[gfn]
        if hfn not in self.lists:
            self.vm.flush_tlb()
        for spte in list(self.lists.get(hfn, [])):
            self.remove(spte)
            self.vm.flush_tlb()
            self.vm.memory.put(spte, self.vm.memory.words[spte] & ~WRITABLE, ev.PROTECT_SPTE)


class protects_once(lists.ReverseMap):
    """Protects each frame only once."""

    def __init__(self, vm):
        self.vm = vm
        self.lists = {}
        self.tables = set()

    def write_protect(self, gfn):
        hfn = self.vm.memory.frames[gfn]
        if hfn in self.tables:
            return
        self.tables.add(hfn)
        for spte in list(self.lists.get(hfn, [])):
            self.remove(spte)
            self.vm.flush_tlb()
            self.vm.memory.put(spte, self.vm.memory.words[spte] & ~WRITABLE, ev.PROTECT_SPTE)


class refuses_later_adds(lists.ReverseMap):
    """Remembers that the frame is a page table, and never notes an entry of it again."""

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
        hfn = self.vm.memory.frames[gfn]
        self.tables.add(hfn)
        for spte in list(self.lists.get(hfn, [])):
            self.remove(spte)
            self.vm.flush_tlb()
            self.vm.memory.put(spte, self.vm.memory.words[spte] & ~WRITABLE, ev.PROTECT_SPTE)


class unknown_frame(lists.ReverseMap):
    """Raises KeyError for a frame without a map."""

    def write_protect(self, gfn):
        hfn = self.vm.memory.frames[gfn]
        for spte in list(self.lists[hfn]):
            self.remove(spte)
            self.vm.flush_tlb()
            self.vm.memory.put(spte, self.vm.memory.words[spte] & ~WRITABLE, ev.PROTECT_SPTE)
