# SPDX-License-Identifier: GPL-2.0-only


class first_descriptor_only(descriptors.ReverseMap):
    """`remove` looks for the entry only in the first descriptor."""

    def take_out(self, row, spte):
        for number, descriptor in enumerate(row[:1]):
            if spte in descriptor:
                last = descriptor.pop()
                if last != spte:
                    descriptor[descriptor.index(spte)] = last
                if not descriptor:
                    del row[number]
                    self.vm.caches.rmap_desc.give()
                break

    def write_protect(self, gfn):
        hfn = self.vm.memory.frames[gfn]
        for _ in self.sptes(hfn):
            first = self.kept[hfn] if isinstance(self.kept[hfn], int) else self.kept[hfn][0][0]
            self.remove(first)
            self.vm.flush_tlb()
            self.vm.memory.put(first, self.vm.memory.words[first] & ~WRITABLE, ev.PROTECT_SPTE)


class last_of_twelve_overwritten(lists.ReverseMap):
    """After a removal from a long map the next entry overwrites the last."""

    def __init__(self, vm):
        self.vm = vm
        self.lists = {}
        self.shrunk = set()

    def add(self, spte):
        hfn = self.frame(spte)
        if hfn is not None:
            if hfn in self.shrunk:
                self.shrunk.remove(hfn)
                self.lists[hfn].pop()
            self.lists.setdefault(hfn, []).append(spte)

    def remove(self, spte):
        hfn = self.frame(spte)
        if hfn is not None:
            self.lists[hfn].remove(spte)
            if len(self.lists[hfn]) == 11:
                self.shrunk.add(hfn)
            if not self.lists[hfn]:
                del self.lists[hfn]


class read_only_removed(lists.ReverseMap):
    """`remove` fails for a read-only entry."""

    def remove(self, spte):
        hfn = (self.vm.memory.words[spte] & BASE_MASK) >> PAGE_SHIFT
        self.lists[hfn].remove(spte)
        if not self.lists[hfn]:
            del self.lists[hfn]


class twice_after_removal(lists.ReverseMap):
    """An entry that was removed from a long map and comes back is there twice."""

    def __init__(self, vm):
        self.vm = vm
        self.lists = {}
        self.gone = set()

    def add(self, spte):
        hfn = self.frame(spte)
        if hfn is not None:
            self.lists.setdefault(hfn, []).append(spte)
            if spte in self.gone:
                self.lists[hfn].append(spte)

    def remove(self, spte):
        hfn = self.frame(spte)
        if hfn is not None:
            if self.lists[hfn].index(spte) > 3:
                self.gone.add(spte)
            self.lists[hfn].remove(spte)
            if not self.lists[hfn]:
                del self.lists[hfn]


class a_thousand_frames(lists.ReverseMap):
    """It keeps the maps of 1,000 frames and no more."""

    def add(self, spte):
        hfn = self.frame(spte)
        if hfn is not None and (hfn in self.lists or len(self.lists) < 1000):
            self.lists.setdefault(hfn, []).append(spte)

    def remove(self, spte):
        hfn = self.frame(spte)
        if spte in self.lists.get(hfn, ()):
            self.lists[hfn].remove(spte)
            if not self.lists[hfn]:
                del self.lists[hfn]


class first_page_left_out(lists.ReverseMap):
    """The entries of shadow page 0 do not count."""

    def frame(self, spte):
        entry = self.vm.memory.words[spte]
        if spte >> 9 > 256 and entry & PRESENT and entry & WRITABLE:
            return (entry & BASE_MASK) >> PAGE_SHIFT
        return None


class frames_named_again_if_their_number_changes(lists.ReverseMap):
    """`frames` answers the same as before while the number of maps is the same."""

    named = ()

    def frames(self):
        if len(self.named) != len(self.lists):
            self.named = list(self.lists)
        return self.named


class without_p_the_map_goes(lists.ReverseMap):
    """An entry with W and without P takes the whole map of its frame along."""

    def remove(self, spte):
        entry = self.vm.memory.words[spte]
        hfn = (entry & BASE_MASK) >> PAGE_SHIFT
        if entry & PRESENT and entry & WRITABLE:
            self.lists[hfn].remove(spte)
            if not self.lists[hfn]:
                del self.lists[hfn]
        elif entry & WRITABLE:
            self.lists.pop(hfn, None)
