# SPDX-License-Identifier: GPL-2.0-only


class by_gfn(lists.ReverseMap):
    """Maps are kept by the guest's frame number, which is None for all frames that the guest does not have."""

    def add(self, spte):
        hfn = self.frame(spte)
        if hfn is not None:
            self.lists.setdefault(self.vm.memory.gfns[hfn], []).append(spte)

    def sptes(self, hfn):
        return self.lists.get(self.vm.memory.gfns[hfn], [])

    def frames(self):
        return {self.frame(spte) for row in self.lists.values() for spte in row}


class frame_of_32_bits(sets):
    """The frame's address has 32 bits."""

    FRAME_BITS = (1 << 32) - 1


class hash_of_256(lists.ReverseMap):
    """Maps are kept by the frame number modulo 256, and the rest is not compared."""

    def frame(self, spte):
        entry = self.vm.memory.words[spte]
        if entry & PRESENT and entry & WRITABLE:
            return (entry & BASE_MASK) >> PAGE_SHIFT & 255
        return None

    def sptes(self, hfn):
        return self.lists.get(hfn & 255, [])

    def frames(self):
        return [(self.vm.memory.words[spte] & BASE_MASK) >> PAGE_SHIFT for row in self.lists.values() for spte in row]


class nx_in_frame(lists.ReverseMap):
    """NX belongs to the frame number."""

    def frame(self, spte):
        entry = self.vm.memory.words[spte]
        if entry & PRESENT and entry & WRITABLE:
            return entry >> PAGE_SHIFT
        return None


class modulo_the_mask(lists.ReverseMap):
    """It takes the remainder by the mask, which loses the frame with the highest number."""

    def frame(self, spte):
        entry = self.vm.memory.words[spte]
        if entry & PRESENT and entry & WRITABLE:
            return (entry % (1 << 52)) % BASE_MASK >> PAGE_SHIFT
        return None
