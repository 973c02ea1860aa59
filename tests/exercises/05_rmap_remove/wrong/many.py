# SPDX-License-Identifier: GPL-2.0-only


class filled_from_the_end(descriptors.ReverseMap):
    """Fills a hole with the last entry of the whole row, and doesn't take it away there."""

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
        if not row:
            del self.kept[hfn]


class first_descriptor_only(descriptors.ReverseMap):
    """Looks for the entry in the first descriptor only."""

    def remove(self, spte):
        hfn = self.frame_of(spte)
        if hfn is None:
            return
        row = self.kept[hfn]
        if row == spte:
            del self.kept[hfn]
            return
        for number, descriptor in enumerate(row[:1]):
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


class first_emptied_is_all(descriptors.ReverseMap):
    """Takes the map for empty as soon as its first descriptor is."""

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
                last = descriptor.pop()
                if last != spte:
                    descriptor[descriptor.index(spte)] = last
                if not descriptor:
                    if not number:
                        row.clear()
                    else:
                        del row[number]
                    self.vm.caches.rmap_desc.give()
                break
        if not row:
            del self.kept[hfn]


class freed_not_unlinked(descriptors.ReverseMap):
    """Gives an emptied descriptor back and leaves it in the row, with what it held."""

    def remove(self, spte):
        hfn = self.frame_of(spte)
        if hfn is None:
            return
        row = self.kept[hfn]
        if row == spte:
            del self.kept[hfn]
            return
        for descriptor in row:
            if spte in descriptor:
                if descriptor == [spte]:
                    self.vm.caches.rmap_desc.give()
                    if row[0] is descriptor:
                        del self.kept[hfn]
                    return
                last = descriptor.pop()
                if last != spte:
                    descriptor[descriptor.index(spte)] = last
                return


class new_one_twice(descriptors.ReverseMap):
    """Goes on after it has found room, and fills a place in each descriptor that has one."""

    def add(self, spte):
        hfn = self.frame_of(spte)
        if hfn is None:
            return
        if hfn not in self.kept:
            self.kept[hfn] = spte
            return
        if not isinstance(self.kept[hfn], list):
            self.vm.caches.rmap_desc.take()
            self.kept[hfn] = [[self.kept[hfn]]]
        row = self.kept[hfn]
        for descriptor in row:
            if len(descriptor) < PLACES:
                descriptor.append(spte)
        if not any(spte in descriptor for descriptor in row):
            self.vm.caches.rmap_desc.take()
            row.append([spte])


class place_by_count(lists.ReverseMap):
    """Puts a new entry where the number of entries says, though a removed one has left its place elsewhere."""

    def __init__(self, vm):
        self.vm = vm
        self.kept = {}

    def frame(self, spte):
        return (self.vm.memory.words[spte] & BASE_MASK) >> PAGE_SHIFT

    def add(self, spte):
        if self.vm.memory.words[spte] & 3 == 3:
            places = self.kept.setdefault(self.frame(spte), {})
            places[len(places) if len(places) > 3 else min(set(range(4)) - set(places))] = spte

    def remove(self, spte):
        if self.vm.memory.words[spte] & 3 == 3:
            places = self.kept[self.frame(spte)]
            del places[next(n for n, at in places.items() if at == spte)]
            if not places:
                del self.kept[self.frame(spte)]

    def sptes(self, hfn):
        return list(self.kept.get(hfn, {}).values())

    def frames(self):
        return list(self.kept)


class row_ends_at_emptied(descriptors.ReverseMap):
    """Ends the row at an emptied descriptor: those behind it are lost."""

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
                last = descriptor.pop()
                if last != spte:
                    descriptor[descriptor.index(spte)] = last
                if not descriptor:
                    del row[number:]
                    self.vm.caches.rmap_desc.give()
                break
        if not row:
            del self.kept[hfn]


class second_goes_whole(descriptors.ReverseMap):
    """Drops the whole descriptor if it isn't the first."""

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
        if not row:
            del self.kept[hfn]


class two_descriptors_only(descriptors.ReverseMap):
    """Looks for the entry in the first two descriptors only."""

    def remove(self, spte):
        hfn = self.frame_of(spte)
        if hfn is None:
            return
        row = self.kept[hfn]
        if row == spte:
            del self.kept[hfn]
            return
        for number, descriptor in enumerate(row[:2]):
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
