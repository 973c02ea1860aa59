# SPDX-License-Identifier: GPL-2.0-only


class fifth_overwrites_fourth(lists.ReverseMap):
    """Writes the fifth entry into the place of the fourth."""

    def add(self, spte):
        hfn = self.frame(spte)
        if hfn is not None:
            row = self.lists.setdefault(hfn, [])
            if len(row) == 4:
                row[3] = spte
            else:
                row.append(spte)


class first_descriptor_told(descriptors.ReverseMap):
    """Keeps all entries, but tells only those of the first descriptor."""

    def sptes(self, hfn):
        kept = self.kept.get(hfn)
        if kept is None:
            return ()
        return (kept,) if isinstance(kept, int) else tuple(kept[0])


class new_descriptor_replaces(descriptors.ReverseMap):
    """Forgets the full descriptor when it takes a new one."""

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
                return
        self.vm.caches.rmap_desc.take()
        self.kept[hfn] = [[spte]]


class three_places(descriptors.ReverseMap):
    """Looks for room in a descriptor with one place too few, and then writes over the last."""

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
            if len(descriptor) < PLACES - 1:
                descriptor.append(spte)
                return
            if len(descriptor) == PLACES - 1 and descriptor is row[-1] and len(row) > 1:
                descriptor[-1] = spte
                return
        self.vm.caches.rmap_desc.take()
        row.append([spte])


class two_descriptors(descriptors.ReverseMap):
    """Has room for two descriptors: the ninth entry is lost."""

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
                return
        if len(row) < 2:
            self.vm.caches.rmap_desc.take()
            row.append([spte])
