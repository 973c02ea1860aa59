# SPDX-License-Identifier: GPL-2.0-only


class frame_twice(descriptors.ReverseMap):
    """Puts the first entry into the new list again, so that it is there twice."""

    def add(self, spte):
        hfn = self.frame_of(spte)
        if hfn is None:
            return
        if hfn not in self.kept:
            self.kept[hfn] = spte
            return
        if not isinstance(self.kept[hfn], list):
            self.vm.caches.rmap_desc.take()
            self.kept[hfn] = [[self.kept[hfn], self.kept[hfn]]]
        row = self.kept[hfn]
        for descriptor in row:
            if len(descriptor) < PLACES:
                descriptor.append(spte)
                return
        self.vm.caches.rmap_desc.take()
        row.append([spte])


class index_for_spte(lists.ReverseMap):
    """Knows an entry by its index alone: entry 12 of another page takes its place."""

    def add(self, spte):
        hfn = self.frame(spte)
        if hfn is not None:
            self.lists.setdefault(hfn, {})[spte & 511] = spte

    def sptes(self, hfn):
        return list(self.lists.get(hfn, {}).values())


class neighbours_only(lists.ReverseMap):
    """Finds the map again only if the frame was the last one that was added to."""

    def __init__(self, vm):
        self.vm = vm
        self.lists = {}
        self.last = None

    def add(self, spte):
        hfn = self.frame(spte)
        if hfn is not None:
            if hfn != self.last:
                self.lists[hfn] = []
            self.last = hfn
            self.lists[hfn].append(spte)


class old_lost_at_second(descriptors.ReverseMap):
    """Forgets the entry that was kept directly when a second one comes."""

    def add(self, spte):
        hfn = self.frame_of(spte)
        if hfn is None:
            return
        if hfn not in self.kept:
            self.kept[hfn] = spte
            return
        if not isinstance(self.kept[hfn], list):
            self.vm.caches.rmap_desc.take()
            self.kept[hfn] = [[]]
        row = self.kept[hfn]
        for descriptor in row:
            if len(descriptor) < PLACES:
                descriptor.append(spte)
                return
        self.vm.caches.rmap_desc.take()
        row.append([spte])


class one_place(lists.ReverseMap):
    """Has one place for each frame, and the newest entry takes it."""

    def add(self, spte):
        hfn = self.frame(spte)
        if hfn is not None:
            self.lists[hfn] = [spte]
