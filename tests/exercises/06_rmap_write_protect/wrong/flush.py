# SPDX-License-Identifier: GPL-2.0-only


class flush_after(lists.ReverseMap):
    """It flushes the TLB after W is cleared."""

    def protect(self, spte):
        self.remove(spte)
        self.vm.memory.put(spte, self.vm.memory.words[spte] & ~WRITABLE, ev.PROTECT_SPTE)
        self.vm.flush_tlb()


class flushes_before_all(lists.ReverseMap):
    """It flushes once for each entry, but before the first of them changes."""

    def protect(self, spte):
        self.remove(spte)
        self.vm.memory.put(spte, self.vm.memory.words[spte] & ~WRITABLE, ev.PROTECT_SPTE)

    def write_protect(self, gfn):
        for _ in self.sptes(self.vm.memory.frames[gfn]):
            self.vm.flush_tlb()
        for spte in list(self.sptes(self.vm.memory.frames[gfn])):
            self.protect(spte)


class no_flush(lists.ReverseMap):
    """It never flushes the TLB."""

    def protect(self, spte):
        self.remove(spte)
        self.vm.memory.put(spte, self.vm.memory.words[spte] & ~WRITABLE, ev.PROTECT_SPTE)


class no_flush_for_an_alias(lists.ReverseMap):
    """It does not flush if the frame is protected by another gfn than the first time."""

    def __init__(self, vm):
        self.vm = vm
        self.lists = {}
        self.names = {}

    def write_protect(self, gfn):
        hfn = self.vm.memory.frames[gfn]
        for spte in list(self.sptes(hfn)):
            self.remove(spte)
            if self.names.setdefault(hfn, gfn) == gfn:
                self.vm.flush_tlb()
            self.vm.memory.put(spte, self.vm.memory.words[spte] & ~WRITABLE, ev.PROTECT_SPTE)


class one_flush(lists.ReverseMap):
    """It flushes once for all entries, at the end."""

    def protect(self, spte):
        self.remove(spte)
        self.vm.memory.put(spte, self.vm.memory.words[spte] & ~WRITABLE, ev.PROTECT_SPTE)

    def write_protect(self, gfn):
        row = list(self.sptes(self.vm.memory.frames[gfn]))
        for spte in row:
            self.protect(spte)
        if row:
            self.vm.flush_tlb()


class two_flushes(lists.ReverseMap):
    """It flushes before and after W is cleared."""

    def protect(self, spte):
        self.remove(spte)
        self.vm.flush_tlb()
        self.vm.memory.put(spte, self.vm.memory.words[spte] & ~WRITABLE, ev.PROTECT_SPTE)
        self.vm.flush_tlb()


class fifty_flushes(lists.ReverseMap):
    """It flushes for the first 50 entries only."""

    def write_protect(self, gfn):
        for number, spte in enumerate(list(self.sptes(self.vm.memory.frames[gfn]))):
            self.remove(spte)
            if number < 50:
                self.vm.flush_tlb()
            self.vm.memory.put(spte, self.vm.memory.words[spte] & ~WRITABLE, ev.PROTECT_SPTE)


class flush_if_dirty(lists.ReverseMap):
    """It does not flush for an entry that was accessed and is not dirty."""

    def protect(self, spte):
        self.remove(spte)
        if self.vm.memory.words[spte] & 0x60 != 0x20:
            self.vm.flush_tlb()
        self.vm.memory.put(spte, self.vm.memory.words[spte] & ~WRITABLE, ev.PROTECT_SPTE)


class no_flush_for_gfn_0(lists.ReverseMap):
    """It does not flush if gfn is 0."""

    def write_protect(self, gfn):
        for spte in list(self.sptes(self.vm.memory.frames[gfn])):
            self.remove(spte)
            if gfn:
                self.vm.flush_tlb()
            self.vm.memory.put(spte, self.vm.memory.words[spte] & ~WRITABLE, ev.PROTECT_SPTE)


class no_flush_for_high_frames(lists.ReverseMap):
    """It does not flush for frames from 2**30 on."""

    def write_protect(self, gfn):
        hfn = self.vm.memory.frames[gfn]
        for spte in list(self.sptes(hfn)):
            self.remove(spte)
            if not hfn >> 30:
                self.vm.flush_tlb()
            self.vm.memory.put(spte, self.vm.memory.words[spte] & ~WRITABLE, ev.PROTECT_SPTE)


class no_flush_for_marked_entries(lists.ReverseMap):
    """It does not flush for entries with bit 10, which all entries of a real guest have that can be written."""

    def protect(self, spte):
        self.remove(spte)
        if not self.vm.memory.words[spte] >> 10 & 1:
            self.vm.flush_tlb()
        self.vm.memory.put(spte, self.vm.memory.words[spte] & ~WRITABLE, ev.PROTECT_SPTE)
