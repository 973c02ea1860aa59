# SPDX-License-Identifier: GPL-2.0-only


class filled_from_the_end(descriptors.ReverseMap):
    """It fills a hole with the last entry of the whole row, and does not take that away there."""

    def take_out(self, row, spte):
        for number, descriptor in enumerate(row):
            if spte in descriptor:
                if number < len(row) - 1:
                    descriptor[descriptor.index(spte)] = row[-1][-1]
                    break
                last = descriptor.pop()
                if last != spte:
                    descriptor[descriptor.index(spte)] = last
                if not descriptor:
                    del row[number]
                    self.vm.caches.rmap_desc.give()
                break


class first_descriptor_only(descriptors.ReverseMap):
    """It looks for the entry only in the first descriptor."""

    def take_out(self, row, spte):
        for number, descriptor in enumerate(row[:1]):
            if spte in descriptor:
                last = descriptor.pop()
                if last != spte:
                    descriptor[descriptor.index(spte)] = last
                if not descriptor:
                    del row[number]
                    self.vm.caches.rmap_desc.give()
                break


class first_emptied_is_all(descriptors.ReverseMap):
    """The map counts as empty as soon as its first descriptor is."""

    def take_out(self, row, spte):
        for number, descriptor in enumerate(row):
            if spte in descriptor:
                last = descriptor.pop()
                if last != spte:
                    descriptor[descriptor.index(spte)] = last
                if not descriptor:
                    del row[number : None if number == 0 else number + 1]
                    self.vm.caches.rmap_desc.give()
                break


class freed_not_unlinked(descriptors.ReverseMap):
    """It gives an emptied descriptor back and leaves it in the row, with its entry."""

    def take_out(self, row, spte):
        for number, descriptor in enumerate(row):
            if spte in descriptor:
                if descriptor == [spte]:
                    self.vm.caches.rmap_desc.give()
                    if row[0] is descriptor:
                        row.clear()
                    break
                last = descriptor.pop()
                if last != spte:
                    descriptor[descriptor.index(spte)] = last
                if not descriptor:
                    del row[number]
                    self.vm.caches.rmap_desc.give()
                break


class new_one_twice(descriptors.ReverseMap):
    """It goes on after it has found room, and fills a place in every descriptor that has one."""

    def append(self, row, spte):
        for descriptor in row:
            if len(descriptor) < PLACES:
                descriptor.append(spte)
        if not any(spte in descriptor for descriptor in row):
            self.vm.caches.rmap_desc.take()
            row.append([spte])


class place_by_count(lists.ReverseMap):
    """A new entry goes to the place that the number of entries names, though a removed one has left another place."""

    def add(self, spte):
        hfn = self.frame(spte)
        if hfn is not None:
            places = self.lists.setdefault(hfn, {})
            places[len(places) if len(places) > 3 else min({0, 1, 2, 3} - set(places))] = spte

    def remove(self, spte):
        hfn = self.frame(spte)
        if hfn is not None:
            del self.lists[hfn][next(place for place, kept in self.lists[hfn].items() if kept == spte)]
            if not self.lists[hfn]:
                del self.lists[hfn]

    def sptes(self, hfn):
        return list(self.lists.get(hfn, {}).values())


class row_ends_at_emptied(descriptors.ReverseMap):
    """The row ends at an emptied descriptor, and those behind it are lost."""

    def take_out(self, row, spte):
        for number, descriptor in enumerate(row):
            if spte in descriptor:
                last = descriptor.pop()
                if last != spte:
                    descriptor[descriptor.index(spte)] = last
                if not descriptor:
                    del row[number:]
                    self.vm.caches.rmap_desc.give()
                break


class second_goes_whole(descriptors.ReverseMap):
    """It drops the whole descriptor, unless that is the first."""

    def take_out(self, row, spte):
        for number, descriptor in enumerate(row):
            if spte in descriptor:
                if number:
                    del row[number]
                    break
                last = descriptor.pop()
                if last != spte:
                    descriptor[descriptor.index(spte)] = last
                if not descriptor:
                    del row[number]
                    self.vm.caches.rmap_desc.give()
                break


class two_descriptors_only(descriptors.ReverseMap):
    """It looks for the entry only in the first two descriptors."""

    def take_out(self, row, spte):
        for number, descriptor in enumerate(row[:2]):
            if spte in descriptor:
                last = descriptor.pop()
                if last != spte:
                    descriptor[descriptor.index(spte)] = last
                if not descriptor:
                    del row[number]
                    self.vm.caches.rmap_desc.give()
                break


class first_hundred_searched(lists.ReverseMap):
    """Only the first 100 entries are searched."""

    def remove(self, spte):
        hfn = self.frame(spte)
        if hfn is not None:
            if spte in self.lists[hfn][:100]:
                self.lists[hfn].remove(spte)
            if not self.lists[hfn]:
                del self.lists[hfn]


class last_one_when_256(lists.ReverseMap):
    """From a map of exactly 256 entries, the last one is removed."""

    def remove(self, spte):
        hfn = self.frame(spte)
        if hfn is not None:
            self.lists[hfn].remove(spte if len(self.lists[hfn]) != 256 else self.lists[hfn][-1])
            if not self.lists[hfn]:
                del self.lists[hfn]


class first_thousand_searched(lists.ReverseMap):
    """It looks for the entry among the first 1,000 of a map."""

    def remove(self, spte):
        hfn = self.frame(spte)
        if hfn is not None and spte in self.lists[hfn][:1000]:
            self.lists[hfn].remove(spte)
            if not self.lists[hfn]:
                del self.lists[hfn]


class a_thousand_frames(lists.ReverseMap):
    """It keeps the maps of 1,000 frames and no more."""

    def add(self, spte):
        hfn = self.frame(spte)
        if hfn is not None and (hfn in self.lists or len(self.lists) < 1000):
            self.lists.setdefault(hfn, []).append(spte)

    def remove(self, spte):
        hfn = self.frame(spte)
        if spte in self.lists.get(hfn, ()):
            self.lists[hfn].remove(spte)
            if not self.lists[hfn]:
                del self.lists[hfn]


class descriptors_run_out(descriptors.ReverseMap):
    """There are 4,096 descriptors for all frames together; those of emptied maps are lost."""

    def begin_row(self, hfn):
        self.vm.caches.rmap_desc.take()
        self.rows = getattr(self, "rows", 0) + 1
        self.kept[hfn] = [[self.kept[hfn]]] if self.rows <= 4096 else [[]]

    def take_out(self, row, spte):
        for number, descriptor in enumerate(row):
            if spte in descriptor:
                descriptor.remove(spte)
                if not descriptor:
                    del row[number]
                    self.vm.caches.rmap_desc.give()
                break
