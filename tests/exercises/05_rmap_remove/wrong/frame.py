# SPDX-License-Identifier: GPL-2.0-only


class hash_of_256(lists.ReverseMap):
    """It removes from the map of any frame with the same number modulo 256."""

    def remove(self, spte):
        hfn = self.frame(spte)
        if hfn is not None:
            alike = next(other for other in self.lists if other & 255 == hfn & 255)
            row = self.lists[alike]
            row.remove(spte if spte in row else row[0])
            if not row:
                del self.lists[alike]


class nx_on_the_way_out(sets.ReverseMap):
    """The frame number is masked in `add` but not in `remove`, where NX leads elsewhere."""

    def remove(self, spte):
        value = self.vm.memory.words[spte]
        if value & BOTH == BOTH:
            self.found[value >> 12].discard(spte)


class high_frame_forgotten(lists.ReverseMap):
    """The whole map of a frame with a high number is dropped with one entry."""

    def remove(self, spte):
        hfn = self.frame(spte)
        if hfn is not None:
            self.lists[hfn].remove(spte)
            if not self.lists[hfn] or hfn >> 39:
                del self.lists[hfn]


class neighbour_on_the_page(lists.ReverseMap):
    """If the map of another frame ends with an entry of the same page, that one goes as well."""

    def remove(self, spte):
        hfn = self.frame(spte)
        if hfn is None:
            return
        for other, row in self.lists.items():
            if other != hfn and len(row) > 1 and row[-1] >> 9 == spte >> 9:
                row.pop()
        self.lists[hfn].remove(spte)
        if not self.lists[hfn]:
            del self.lists[hfn]
