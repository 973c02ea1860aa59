# SPDX-License-Identifier: GPL-2.0-only


class either_bit(sets.ReverseMap):
    """Asks for either of the two bits where both are needed."""

    def add(self, spte):
        value = self.vm.memory.words[spte]
        if value & BOTH:
            self.found[(value & FRAME_BITS) >> 12].add(spte)


class exactly_two_bits(sets.ReverseMap):
    """Takes only entries that have no other flag than present and writable."""

    def add(self, spte):
        value = self.vm.memory.words[spte]
        if value & 0xFFF == BOTH:
            self.found[(value & FRAME_BITS) >> 12].add(spte)


class names_empty_frames(sets.ReverseMap):
    """Names frames that were asked for and have no map."""

    def frames(self):
        return set(self.found)


class no_test(sets.ReverseMap):
    """Adds every entry, also those that can't write."""

    def add(self, spte):
        value = self.vm.memory.words[spte]
        self.found[(value & FRAME_BITS) >> 12].add(spte)


class present_only(lists.ReverseMap):
    """Asks whether the entry is present, and not whether it is writable."""

    def frame(self, spte):
        entry = self.vm.memory.words[spte]
        if entry & PRESENT:
            return (entry & BASE_MASK) >> PAGE_SHIFT
        return None


class unknown_frame(lists.ReverseMap):
    """Raises KeyError when it is asked for a frame without a map."""

    def sptes(self, hfn):
        return self.lists[hfn]


class writable_only(lists.ReverseMap):
    """Asks whether the entry is writable, and not whether it is present."""

    def frame(self, spte):
        entry = self.vm.memory.words[spte]
        if entry & WRITABLE:
            return (entry & BASE_MASK) >> PAGE_SHIFT
        return None
