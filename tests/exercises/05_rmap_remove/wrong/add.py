# SPDX-License-Identifier: GPL-2.0-only


class shared_by_machines(lists.ReverseMap):
    """Keeps the maps in the class, so that all machines share them."""

    lists = {}

    def __init__(self, vm):
        self.vm = vm


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

    def remove(self, spte):
        hfn = self.frame_of(spte)
        if hfn is None:
            return
        row = self.kept.get(hfn, [])
        if row == spte:
            del self.kept[hfn]
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
            self.kept.pop(hfn, None)
