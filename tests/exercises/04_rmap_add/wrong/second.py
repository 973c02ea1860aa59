# SPDX-License-Identifier: GPL-2.0-only


class frame_twice(descriptors.ReverseMap):
    """The first entry is put into the new list twice."""

    def begin_row(self, hfn):
        self.vm.caches.rmap_desc.take()
        self.kept[hfn] = [[self.kept[hfn], self.kept[hfn]]]


class index_for_spte(lists.ReverseMap):
    """An entry is known by its index alone: entry 12 of another page takes its place."""

    def add(self, spte):
        hfn = self.frame(spte)
        if hfn is not None:
            self.lists.setdefault(hfn, {})[spte & 511] = spte

    def sptes(self, hfn):
        return list(self.lists.get(hfn, {}).values())


class neighbours_only(lists.ReverseMap):
    """It finds the map of a frame again only if the entry before was added to it."""

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
    """The entry that was kept directly is lost when a second one comes."""

    def begin_row(self, hfn):
        self.vm.caches.rmap_desc.take()
        self.kept[hfn] = [[]]


class one_place(lists.ReverseMap):
    """There is one place for each frame, which the newest entry takes."""

    def add(self, spte):
        hfn = self.frame(spte)
        if hfn is not None:
            self.lists[hfn] = [spte]
