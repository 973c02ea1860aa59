# SPDX-License-Identifier: GPL-2.0-only


class fifth_descriptor_merged(descriptors.ReverseMap):
    """There are four descriptors; all further entries go into the last one."""

    def append(self, row, spte):
        for descriptor in row:
            if len(descriptor) < PLACES:
                descriptor.append(spte)
                return
        if len(row) == 4:
            row[-1].append(spte)
            return
        self.vm.caches.rmap_desc.take()
        row.append([spte])


class taken_twice(descriptors.ReverseMap):
    """It takes a descriptor for each of the first two entries."""

    def begin_row(self, hfn):
        self.vm.caches.rmap_desc.take()
        self.vm.caches.rmap_desc.take()
        self.kept[hfn] = [[self.kept[hfn]]]
