# SPDX-License-Identifier: GPL-2.0-only


class all_go(lists.ReverseMap):
    """It removes the whole map of the frame."""

    def remove(self, spte):
        hfn = self.frame(spte)
        if hfn is not None:
            del self.lists[hfn]


class equal_index(lists.ReverseMap):
    """It removes an entry of the same index, in any page."""

    def remove(self, spte):
        hfn = self.frame(spte)
        if hfn is not None:
            alike = [kept for kept in self.lists[hfn] if kept & 511 == spte & 511]
            self.lists[hfn].remove(alike[0])
            if not self.lists[hfn]:
                del self.lists[hfn]


class equal_values(lists.ReverseMap):
    """It removes an entry of the same value, in any place."""

    def remove(self, spte):
        hfn = self.frame(spte)
        if hfn is not None:
            words = self.vm.memory.words
            alike = [kept for kept in self.lists[hfn] if words[kept] == words[spte]]
            self.lists[hfn].remove(alike[0])
            if not self.lists[hfn]:
                del self.lists[hfn]


class hole_ends_the_row(lists.ReverseMap):
    """It leaves a hole, and nothing behind the hole is found."""

    def remove(self, spte):
        hfn = self.frame(spte)
        if hfn is not None:
            del self.lists[hfn][self.lists[hfn].index(spte) :]
            if not self.lists[hfn]:
                del self.lists[hfn]


class hole_filled_and_kept(descriptors.ReverseMap):
    """It fills the hole with the last entry, and leaves that in its old place as well."""

    def take_out(self, row, spte):
        for number, descriptor in enumerate(row):
            if spte in descriptor:
                last = descriptor[-1]
                if last == spte:
                    descriptor.pop()
                else:
                    descriptor[descriptor.index(spte)] = last
                if not descriptor:
                    del row[number]
                    self.vm.caches.rmap_desc.give()
                break


class hole_left(lists.ReverseMap):
    """It leaves None in place of the entry, which `sptes` then answers."""

    def remove(self, spte):
        hfn = self.frame(spte)
        if hfn is not None:
            self.lists[hfn][self.lists[hfn].index(spte)] = None
            if not any(self.lists[hfn]):
                del self.lists[hfn]


class many_to_one_direct(descriptors.ReverseMap):
    """It goes back to one entry that is kept directly, and keeps the wrong one of two."""

    def remove(self, spte):
        hfn = self.frame_of(spte)
        if hfn is None:
            return
        row = self.kept[hfn]
        if row == spte:
            del self.kept[hfn]
            return
        if row in ([[row[0][0], spte]], [[spte, row[0][-1]]]):
            self.kept[hfn] = spte
            return
        self.take_out(row, spte)
        if not row:
            del self.kept[hfn]


class newest_goes(lists.ReverseMap):
    """It removes the newest entry, whichever is named."""

    def remove(self, spte):
        hfn = self.frame(spte)
        if hfn is not None:
            self.lists[hfn].pop()
            if not self.lists[hfn]:
                del self.lists[hfn]


class two_to_none(lists.ReverseMap):
    """It drops the map when one entry is left instead of none."""

    def remove(self, spte):
        hfn = self.frame(spte)
        if hfn is not None:
            self.lists[hfn].remove(spte)
            if len(self.lists[hfn]) <= 1:
                del self.lists[hfn]


class entry_0_ends_a_pair(lists.ReverseMap):
    """If entry 0 of a page is the second of two, both go."""

    def remove(self, spte):
        hfn = self.frame(spte)
        if hfn is not None:
            self.lists[hfn].remove(spte)
            if not self.lists[hfn] or (spte & 511 == 0 and len(self.lists[hfn]) == 1):
                del self.lists[hfn]
