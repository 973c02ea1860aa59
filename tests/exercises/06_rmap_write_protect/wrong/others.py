# SPDX-License-Identifier: GPL-2.0-only


class all_frames(lists.ReverseMap):
    """It protects every entry of every map."""

    def write_protect(self, gfn):
        for spte in [spte for row in self.lists.values() for spte in row]:
            self.protect(spte)


class all_that_lead_there(lists.ReverseMap):
    """It looks at all entries that lead to the frame, and flushes even for those that can't write."""

    def write_protect(self, gfn):
        words, hfn = self.vm.memory.words, self.vm.memory.frames[gfn]
        for spte in range(self.vm.pool.pages[0].spte, self.vm.pool.pages[255].spte + 512):
            if words[spte] and (words[spte] & BASE_MASK) >> PAGE_SHIFT == hfn:
                self.protect(spte)


class gfn_where_hfn_has_no_map(lists.ReverseMap):
    """If the host frame has no map, it takes that of the host frame whose number is gfn."""

    def write_protect(self, gfn):
        for spte in list(self.sptes(self.vm.memory.frames[gfn]) or self.sptes(gfn)):
            self.protect(spte)


class hash_of_256(lists.ReverseMap):
    """It protects every frame with the same number modulo 256."""

    def write_protect(self, gfn):
        hfn = self.vm.memory.frames[gfn]
        alike = [other for other in self.lists if hfn is not None and other & 255 == hfn & 255]
        for spte in [spte for other in alike for spte in self.lists[other]]:
            self.protect(spte)


class low_39_bits_compared(lists.ReverseMap):
    """Frames with equal low 39 bits are protected together."""

    def write_protect(self, gfn):
        hfn = self.vm.memory.frames[gfn]
        alike = [other for other in self.lists if other % 2**39 == hfn % 2**39]
        for spte in [spte for other in alike for spte in self.sptes(other)]:
            self.protect(spte)


class whole_page(lists.ReverseMap):
    """It clears W of all entries in the shadow page that the entry is in."""

    def protect(self, spte):
        hfn = self.frame(spte)
        self.remove(spte)
        self.vm.flush_tlb()
        self.vm.memory.put(spte, self.vm.memory.words[spte] & ~WRITABLE, ev.PROTECT_SPTE)
        for other in range(spte & ~511, (spte | 511) + 1):
            if self.frame(other) not in (None, hfn):
                self.remove(other)
                self.vm.memory.put(other, self.vm.memory.words[other] & ~WRITABLE, ev.PROTECT_SPTE)


class clears_a_w_without_p(lists.ReverseMap):
    """It also clears W in the entries of pages in use that lead to the frame and are not present."""

    def write_protect(self, gfn):
        words, hfn = self.vm.memory.words, self.vm.memory.frames[gfn]
        for spte in list(self.sptes(hfn)):
            self.protect(spte)
        for page in self.vm.pool.active:
            for spte in range(page.spte, page.spte + 512):
                if page.level == 1 and words[spte] & 3 == WRITABLE and (words[spte] & BASE_MASK) >> PAGE_SHIFT == hfn:
                    self.vm.memory.put(spte, words[spte] - WRITABLE, ev.PROTECT_SPTE)


class alias_by_its_low_bits(lists.ReverseMap):
    """If an alias reaches no mapped frame, its low 8 bits are taken for a gfn."""

    def write_protect(self, gfn):
        hfn = self.vm.memory.frames[gfn]
        if hfn not in self.lists:
            hfn = self.vm.memory.frames[gfn & 0xFF]
        for spte in list(self.sptes(hfn)):
            self.protect(spte)
