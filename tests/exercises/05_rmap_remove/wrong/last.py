# SPDX-License-Identifier: GPL-2.0-only


class does_nothing(sets.ReverseMap):
    """Removes nothing."""

    def remove(self, spte):
        value = self.vm.memory.words[spte]
        if value & BOTH == BOTH:
            self.found[(value & FRAME_BITS) >> 12].add(spte)


class first_frame_kept(lists.ReverseMap):
    """Remembers the frame of an entry when it first sees it, and never looks again."""

    def __init__(self, vm):
        self.vm = vm
        self.lists = {}
        self.seen = {}

    def add(self, spte):
        hfn = self.frame(spte)
        if hfn is not None:
            self.seen.setdefault(spte, hfn)
            self.lists.setdefault(hfn, []).append(spte)

    def remove(self, spte):
        hfn = self.seen.get(spte)
        if self.frame(spte) is not None and hfn in self.lists and spte in self.lists[hfn]:
            self.lists[hfn].remove(spte)
            if not self.lists[hfn]:
                del self.lists[hfn]


class frame_stays(lists.ReverseMap):
    """Leaves an empty list behind, and names its frame."""

    def remove(self, spte):
        hfn = self.frame(spte)
        if hfn is not None:
            self.lists[hfn].remove(spte)


class never_back(lists.ReverseMap):
    """Remembers what was removed, and never takes it again."""

    def __init__(self, vm):
        self.vm = vm
        self.lists = {}
        self.gone = set()

    def add(self, spte):
        hfn = self.frame(spte)
        if hfn is not None and spte not in self.gone:
            self.lists.setdefault(hfn, []).append(spte)

    def remove(self, spte):
        hfn = self.frame(spte)
        if hfn is not None and spte not in self.gone:
            self.gone.add(spte)
            self.lists[hfn].remove(spte)
            if not self.lists[hfn]:
                del self.lists[hfn]
