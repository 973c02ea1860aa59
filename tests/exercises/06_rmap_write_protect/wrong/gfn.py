# SPDX-License-Identifier: GPL-2.0-only


class bit_47_goes(lists.ReverseMap):
    """It clears bit 47 of the entry together with W."""

    def protect(self, spte):
        self.remove(spte)
        self.vm.flush_tlb()
        self.vm.memory.put(spte, self.vm.memory.words[spte] & ~(WRITABLE | 1 << 47), ev.PROTECT_SPTE)


class frames_of_16_bits(lists.ReverseMap):
    """A frame number has 16 bits."""

    def write_protect(self, gfn):
        for spte in list(self.sptes(self.vm.memory.frames[gfn] & 0xFFFF)):
            self.protect(spte)


class frames_remembered(lists.ReverseMap):
    """It remembers which host frame a gfn was, though aliases change."""

    def __init__(self, vm):
        self.vm = vm
        self.lists = {}
        self.hfns = {}

    def write_protect(self, gfn):
        for spte in list(self.sptes(self.hfns.setdefault(gfn, self.vm.memory.frames[gfn]))):
            self.protect(spte)


class gfn_plus_base(lists.ReverseMap):
    """It adds gfn to the first host frame, which is right in the first slot only."""

    def write_protect(self, gfn):
        for spte in list(self.sptes(self.vm.memory.slots[0].hfn + gfn)):
            self.protect(spte)


class high_frames_left(lists.ReverseMap):
    """Frames from 2**32 on are not protected."""

    def write_protect(self, gfn):
        if self.vm.memory.frames[gfn] >> 32:
            return
        for spte in list(self.sptes(self.vm.memory.frames[gfn])):
            self.protect(spte)


class low_32_bits_compared(lists.ReverseMap):
    """Frames with equal low 32 bits are protected together."""

    def write_protect(self, gfn):
        hfn = self.vm.memory.frames[gfn]
        alike = [other for other in self.lists if other % 2**32 == hfn % 2**32]
        for spte in [spte for other in alike for spte in self.sptes(other)]:
            self.protect(spte)


class no_aliases(lists.ReverseMap):
    """It finds the slot by itself, and ignores aliases."""

    def write_protect(self, gfn):
        slots = [slot for slot in self.vm.memory.slots if slot.base <= gfn < slot.base + slot.npages]
        hfn = slots[0].hfn + gfn - slots[0].base if slots else None
        for spte in list(self.sptes(hfn)):
            self.protect(spte)


class way_back(lists.ReverseMap):
    """It looks for the map whose frame has this gfn, which fails for an alias."""

    def write_protect(self, gfn):
        hfn = next((hfn for hfn in self.lists if self.vm.memory.gfns[hfn] == gfn), None)
        for spte in list(self.sptes(hfn)):
            self.protect(spte)


class only_what_is_cached(lists.ReverseMap):
    """It uses `get`, which finds only frames that somebody else has looked up."""

    def write_protect(self, gfn):
        for spte in list(self.sptes(self.vm.memory.frames.get(gfn))):
            self.protect(spte)


class gfn_0_is_no_frame(lists.ReverseMap):
    """It does nothing for gfn 0."""

    def write_protect(self, gfn):
        for spte in list(self.sptes(self.vm.memory.frames[gfn])) if gfn else ():
            self.protect(spte)


class frames_remembered_while_mapped(lists.ReverseMap):
    """It looks a host frame up again only if the one that it remembers has no map."""

    def __init__(self, vm):
        self.vm = vm
        self.lists = {}
        self.hfns = {}

    def write_protect(self, gfn):
        if not self.sptes(self.hfns.get(gfn)):
            self.hfns[gfn] = self.vm.memory.frames[gfn]
        for spte in list(self.sptes(self.hfns[gfn])):
            self.protect(spte)


class frames_copied(lists.ReverseMap):
    """It copies what the machine knows about frames when it protects for the first time."""

    def write_protect(self, gfn):
        if not hasattr(self, "copy"):
            self.copy = dict(self.vm.memory.frames)
        for spte in list(self.sptes(self.copy.get(gfn) or self.vm.memory.frames[gfn])):
            self.protect(spte)
