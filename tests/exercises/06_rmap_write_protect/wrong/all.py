# SPDX-License-Identifier: GPL-2.0-only


class a_call_for_each_entry(lists.ReverseMap):
    """It calls itself for each entry, and a thousand calls are too many."""

    def write_protect(self, gfn):
        for spte in self.sptes(self.vm.memory.frames[gfn])[:1]:
            self.protect(spte)
            self.write_protect(gfn)


class every_second(lists.ReverseMap):
    """It iterates over the list from which it removes, and skips every second entry."""

    def write_protect(self, gfn):
        for spte in self.sptes(self.vm.memory.frames[gfn]):
            self.protect(spte)


class first_only(lists.ReverseMap):
    """It protects the first entry and leaves the others writable."""

    def write_protect(self, gfn):
        for spte in list(self.sptes(self.vm.memory.frames[gfn]))[:1]:
            self.protect(spte)


class four_only(descriptors.ReverseMap):
    """It protects only the entries of the first descriptor."""

    def write_protect(self, gfn):
        hfn = self.vm.memory.frames[gfn]
        for _ in self.sptes(hfn)[:4]:
            first = self.kept[hfn] if isinstance(self.kept[hfn], int) else self.kept[hfn][0][0]
            self.remove(first)
            self.vm.flush_tlb()
            self.vm.memory.put(first, self.vm.memory.words[first] & ~WRITABLE, ev.PROTECT_SPTE)


class last_left(lists.ReverseMap):
    """It stops one entry too early if there are several."""

    def write_protect(self, gfn):
        row = list(self.sptes(self.vm.memory.frames[gfn]))
        for spte in row[: max(1, len(row) - 1)]:
            self.protect(spte)


class value_of_the_first(lists.ReverseMap):
    """It writes the value of the first entry into all of them."""

    def write_protect(self, gfn):
        row = list(self.sptes(self.vm.memory.frames[gfn]))
        value = self.vm.memory.words[row[0]] if row else 0
        for spte in row:
            self.remove(spte)
            self.vm.flush_tlb()
            self.vm.memory.put(spte, value & ~WRITABLE, ev.PROTECT_SPTE)


class large_page_spared(lists.ReverseMap):
    """It spares entries below large pages."""

    def protect(self, spte):
        page = self.vm.pool.pages[(spte >> 9) - 256]
        if not page.metaphysical:
            self.remove(spte)
            self.vm.flush_tlb()
            self.vm.memory.put(spte, self.vm.memory.words[spte] & ~WRITABLE, ev.PROTECT_SPTE)


class second_quadrant_spared(lists.ReverseMap):
    """It spares entries of second quadrants."""

    def protect(self, spte):
        page = self.vm.pool.pages[(spte >> 9) - 256]
        if not page.quadrant:
            self.remove(spte)
            self.vm.flush_tlb()
            self.vm.memory.put(spte, self.vm.memory.words[spte] & ~WRITABLE, ev.PROTECT_SPTE)


class own_table_spared(lists.ReverseMap):
    """It spares the entries of the shadow pages of the frame itself."""

    def write_protect(self, gfn):
        for spte in list(self.sptes(self.vm.memory.frames[gfn])):
            if self.vm.pool.pages[(spte >> 9) - 256].gfn != gfn:
                self.protect(spte)


class none_of_256(lists.ReverseMap):
    """It protects none of exactly 256 entries, as if the count had 8 bits."""

    def write_protect(self, gfn):
        row = list(self.sptes(self.vm.memory.frames[gfn]))
        for spte in row if len(row) != 256 else ():
            self.protect(spte)


class first_page_left_open(lists.ReverseMap):
    """The entries of shadow page 0 keep their W."""

    def write_protect(self, gfn):
        for spte in list(self.sptes(self.vm.memory.frames[gfn])):
            if spte >> 9 != 256:
                self.protect(spte)


class last_page_left_open(lists.ReverseMap):
    """The entries of shadow page 255 keep their W."""

    def write_protect(self, gfn):
        for spte in list(self.sptes(self.vm.memory.frames[gfn])):
            if spte >> 9 != 511:
                self.protect(spte)


class protects_a_hundred_frames(lists.ReverseMap):
    """It protects 100 frames and no more."""

    calls = 0

    def write_protect(self, gfn):
        self.calls += 1
        for spte in list(self.sptes(self.vm.memory.frames[gfn])) if self.calls <= 100 else ():
            self.protect(spte)
