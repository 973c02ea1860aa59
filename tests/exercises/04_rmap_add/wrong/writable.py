# SPDX-License-Identifier: GPL-2.0-only


class either_bit(sets.ReverseMap):
    """An entry needs only one of the two bits."""

    def add(self, spte):
        value = self.vm.memory.words[spte]
        if value & BOTH:
            self.found[(value & FRAME_BITS) >> 12].add(spte)


class exactly_two_bits(sets.ReverseMap):
    """An entry must have no flags but present and writable."""

    def add(self, spte):
        value = self.vm.memory.words[spte]
        if value & 0xFFF == BOTH:
            self.found[(value & FRAME_BITS) >> 12].add(spte)


class names_empty_frames(sets.ReverseMap):
    """`frames` names frames that were asked for and have no map."""

    def frames(self):
        return set(self.found)


class no_test(sets.ReverseMap):
    """Every entry is added, even one that can't write."""

    def add(self, spte):
        value = self.vm.memory.words[spte]
        self.found[(value & FRAME_BITS) >> 12].add(spte)


class present_only(lists.ReverseMap):
    """It asks whether the entry is present, and not whether it is writable."""

    def frame(self, spte):
        entry = self.vm.memory.words[spte]
        if entry & PRESENT:
            return (entry & BASE_MASK) >> PAGE_SHIFT
        return None


class unknown_frame(lists.ReverseMap):
    """`sptes` raises KeyError for a frame without a map."""

    def sptes(self, hfn):
        return self.lists[hfn]


class writable_only(lists.ReverseMap):
    """It asks whether the entry is writable, and not whether it is present."""

    def frame(self, spte):
        entry = self.vm.memory.words[spte]
        if entry & WRITABLE:
            return (entry & BASE_MASK) >> PAGE_SHIFT
        return None


class any_level(rescan.ReverseMap):
    """It takes the entries of all levels for entries that can write a frame."""

    def found(self):
        """(spte, hfn) of all entries with both bits."""
        pages = self.vm.pool.pages
        leaves = [page.id for page in pages if page.level >= 1]
        rows = self.vm.memory.pages[pages[0].spte >> 9 :][leaves]
        for row, index in zip(*np.nonzero(rows & 3 == PRESENT | WRITABLE), strict=True):
            spte = pages[leaves[row]].spte + int(index)
            yield spte, (self.vm.memory.words[spte] & BASE_MASK) >> PAGE_SHIFT
