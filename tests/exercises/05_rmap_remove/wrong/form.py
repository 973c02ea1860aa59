# SPDX-License-Identifier: GPL-2.0-only


class hole_filled_from_the_last(descriptors.ReverseMap):
    """A hole is filled with the last entry of the whole map."""

    def take_out(self, row, spte):
        for descriptor in row:
            if spte in descriptor:
                last = row[-1].pop()
                if last != spte:
                    descriptor[descriptor.index(spte)] = last
                if not row[-1]:
                    del row[-1]
                    self.vm.caches.rmap_desc.give()
                break


class emptied_replaced_by_the_last(descriptors.ReverseMap):
    """The last descriptor moves into the place of an emptied one."""

    def take_out(self, row, spte):
        for number, descriptor in enumerate(row):
            if spte in descriptor:
                last = descriptor.pop()
                if last != spte:
                    descriptor[descriptor.index(spte)] = last
                if not descriptor:
                    row[number] = row[-1]
                    del row[-1]
                    self.vm.caches.rmap_desc.give()
                break


class middle_closed_up(descriptors.ReverseMap):
    """In a descriptor that is neither the first nor the last one, the later entries move up."""

    def take_out(self, row, spte):
        for number, descriptor in enumerate(row):
            if spte in descriptor:
                if 0 < number < len(row) - 1:
                    descriptor.remove(spte)
                else:
                    last = descriptor.pop()
                    if last != spte:
                        descriptor[descriptor.index(spte)] = last
                if not descriptor:
                    del row[number]
                    self.vm.caches.rmap_desc.give()
                break
