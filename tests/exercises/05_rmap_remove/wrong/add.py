# SPDX-License-Identifier: GPL-2.0-only


class shared_by_machines(lists.ReverseMap):
    """The maps are a class attribute, so that all machines share them."""

    lists = {}

    def __init__(self, vm):
        self.vm = vm


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

    def remove(self, spte):
        hfn = self.frame_of(spte)
        if hfn is None:
            return
        row = self.kept.get(hfn, [])
        if row == spte:
            del self.kept[hfn]
            return
        self.take_out(row, spte)
        if not row:
            self.kept.pop(hfn, None)
