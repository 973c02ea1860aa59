# SPDX-License-Identifier: GPL-2.0-only


class all_go(lists.ReverseMap):
    """Removes the whole map of the frame."""

    def remove(self, spte):
        hfn = self.frame(spte)
        if hfn is not None:
            del self.lists[hfn]


class equal_index(lists.ReverseMap):
    """Looks for an entry of the same index, in any page."""

    def remove(self, spte):
        hfn = self.frame(spte)
        if hfn is not None:
            same = [at for at in self.lists[hfn] if at & 511 == spte & 511]
            self.lists[hfn].remove(same[0])
            if not self.lists[hfn]:
                del self.lists[hfn]


class equal_values(lists.ReverseMap):
    """Looks for an entry of the same value, and finds that of another place."""

    def remove(self, spte):
        hfn = self.frame(spte)
        if hfn is not None:
            words = self.vm.memory.words
            same = [at for at in self.lists[hfn] if words[at] == words[spte]]
            self.lists[hfn].remove(same[0])
            if not self.lists[hfn]:
                del self.lists[hfn]


class hole_ends_the_row(lists.ReverseMap):
    """Leaves a hole, and everything behind it isn't found any more."""

    def remove(self, spte):
        hfn = self.frame(spte)
        if hfn is not None:
            del self.lists[hfn][self.lists[hfn].index(spte) :]
            if not self.lists[hfn]:
                del self.lists[hfn]


class hole_filled_and_kept(descriptors.ReverseMap):
    """Fills the hole with the last entry, and leaves that where it was, too."""

    def remove(self, spte):
        hfn = self.frame_of(spte)
        if hfn is None:
            return
        row = self.kept[hfn]
        if row == spte:
            del self.kept[hfn]
            return
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
        if not row:
            del self.kept[hfn]


class hole_left(lists.ReverseMap):
    """Leaves a hole, None, which sptes() then tells."""

    def remove(self, spte):
        hfn = self.frame(spte)
        if hfn is not None:
            self.lists[hfn][self.lists[hfn].index(spte)] = None
            if not any(self.lists[hfn]):
                del self.lists[hfn]


class many_to_one_direct(descriptors.ReverseMap):
    """Goes back to one entry kept directly, and keeps the wrong one of two."""

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
        for number, descriptor in enumerate(row):
            if spte in descriptor:
                last = descriptor.pop()
                if last != spte:
                    descriptor[descriptor.index(spte)] = last
                if not descriptor:
                    del row[number]
                    self.vm.caches.rmap_desc.give()
                break
        if not row:
            del self.kept[hfn]


class newest_goes(lists.ReverseMap):
    """Removes the newest entry, whichever is named."""

    def remove(self, spte):
        hfn = self.frame(spte)
        if hfn is not None:
            self.lists[hfn].pop()
            if not self.lists[hfn]:
                del self.lists[hfn]


class two_to_none(lists.ReverseMap):
    """Drops the map when one entry is left, not when none is."""

    def remove(self, spte):
        hfn = self.frame(spte)
        if hfn is not None:
            self.lists[hfn].remove(spte)
            if len(self.lists[hfn]) <= 1:
                del self.lists[hfn]
