# SPDX-License-Identifier: GPL-2.0-only


class fifth_overwrites_fourth(lists.ReverseMap):
    """The fifth entry overwrites the fourth."""

    def add(self, spte):
        hfn = self.frame(spte)
        if hfn is not None:
            row = self.lists.setdefault(hfn, [])
            if len(row) == 4:
                row[3] = spte
            else:
                row.append(spte)


class first_descriptor_told(descriptors.ReverseMap):
    """It keeps all entries, but `sptes` answers only those of the first descriptor."""

    def sptes(self, hfn):
        kept = self.kept.get(hfn)
        if kept is None:
            return ()
        return (kept,) if isinstance(kept, int) else tuple(kept[0])


class new_descriptor_replaces(descriptors.ReverseMap):
    """A new descriptor replaces the full one."""

    def append(self, row, spte):
        for descriptor in row:
            if len(descriptor) < PLACES:
                descriptor.append(spte)
                return
        self.vm.caches.rmap_desc.take()
        row[:] = [[spte]]


class three_places(descriptors.ReverseMap):
    """It looks for room in one place too few of a descriptor, and then overwrites the last entry."""

    def append(self, row, spte):
        for descriptor in row:
            if len(descriptor) < PLACES - 1:
                descriptor.append(spte)
                return
            if len(descriptor) == PLACES - 1 and descriptor is row[-1] and len(row) > 1:
                descriptor[-1] = spte
                return
        self.vm.caches.rmap_desc.take()
        row.append([spte])


class two_descriptors(descriptors.ReverseMap):
    """There is room for two descriptors, and the ninth entry is lost."""

    def append(self, row, spte):
        for descriptor in row:
            if len(descriptor) < PLACES:
                descriptor.append(spte)
                return
        if len(row) < 2:
            self.vm.caches.rmap_desc.take()
            row.append([spte])


class wrong_at_256_only(lists.ReverseMap):
    """A map of exactly 256 entries seems to be empty, as if the count had 8 bits."""

    def sptes(self, hfn):
        row = self.lists.get(hfn, [])
        return row[: len(row) % 256] if len(row) == 256 else row


class neighbours_merged(lists.ReverseMap):
    """From the third entry on, an entry just below the last one is taken for the same one."""

    def add(self, spte):
        hfn = self.frame(spte)
        if hfn is not None:
            row = self.lists.setdefault(hfn, [])
            if len(row) < 3 or row[-1] != spte + 1:
                row.append(spte)


class a_thousand_frames(lists.ReverseMap):
    """It keeps the maps of 1,000 frames and no more."""

    def add(self, spte):
        hfn = self.frame(spte)
        if hfn is not None and (hfn in self.lists or len(self.lists) < 1000):
            self.lists.setdefault(hfn, []).append(spte)


class a_cache_of_4096_frames(lists.ReverseMap):
    """It keeps the maps of 4,096 frames and drops the oldest beyond that."""

    def add(self, spte):
        hfn = self.frame(spte)
        if hfn is not None:
            self.lists.setdefault(hfn, []).append(spte)
            if len(self.lists) > 4096:
                del self.lists[next(iter(self.lists))]


class descriptors_run_out(descriptors.ReverseMap):
    """There are 2,000 descriptors for all frames together."""

    def begin_row(self, hfn):
        self.vm.caches.rmap_desc.take()
        self.rows = getattr(self, "rows", 0) + 1
        self.kept[hfn] = [[self.kept[hfn]]] if self.rows <= 2000 else [[]]


class page_255_left_out(lists.ReverseMap):
    """The entries of the last shadow page do not count."""

    def add(self, spte):
        hfn = self.frame(spte)
        if hfn is not None and spte >> 9 < 256 + 255:
            self.lists.setdefault(hfn, []).append(spte)


class two_hundred_frames(lists.ReverseMap):
    """It keeps the maps of 200 frames and drops the oldest beyond that."""

    def add(self, spte):
        hfn = self.frame(spte)
        if hfn is not None:
            self.lists.setdefault(hfn, []).append(spte)
            if len(self.lists) > 200:
                del self.lists[next(iter(self.lists))]
