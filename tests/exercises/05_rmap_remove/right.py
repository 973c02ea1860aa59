# SPDX-License-Identifier: GPL-2.0-only
"""The right solutions of 04, which learn to remove an entry."""


class descriptors(rmap_add.descriptors.ReverseMap):
    def remove(self, spte):
        hfn = self.frame_of(spte)
        if hfn is None:
            return
        row = self.kept[hfn]
        if row == spte:
            del self.kept[hfn]
            return
        self.take_out(row, spte)
        if not row:
            del self.kept[hfn]

    def take_out(self, row, spte):
        for number, descriptor in enumerate(row):
            if spte in descriptor:
                last = descriptor.pop()
                if last != spte:
                    descriptor[descriptor.index(spte)] = last
                if not descriptor:
                    del row[number]
                    self.vm.caches.rmap_desc.give()
                break


class linked(rmap_add.linked.ReverseMap):
    def remove(self, spte):
        hfn = self.where(spte)
        if not hfn:
            return
        older = self.older.pop(spte)
        if self.newest[hfn] != spte:
            at = self.newest[hfn]
            while self.older[at] != spte:
                at = self.older[at]
            self.older[at] = older
        elif older is None:
            del self.newest[hfn]
        else:
            self.newest[hfn] = older


class lists(rmap_add.lists.ReverseMap):
    def remove(self, spte):
        hfn = self.frame(spte)
        if hfn is not None:
            self.lists[hfn].remove(spte)
            if not self.lists[hfn]:
                del self.lists[hfn]


class pairs(rmap_add.pairs.ReverseMap):
    def remove(self, spte):
        if self.counts(spte):
            del self.pairs[bisect_left(self.pairs, self.pair(spte))]


class rescan(rmap_add.rescan.ReverseMap):
    def remove(self, spte):
        pass


class sets(rmap_add.sets.ReverseMap):
    def remove(self, spte):
        value = self.vm.memory.words[spte]
        if value & BOTH == BOTH:
            self.found[(value & FRAME_BITS) >> 12].discard(spte)
