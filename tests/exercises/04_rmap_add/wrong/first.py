# SPDX-License-Identifier: GPL-2.0-only

from kvmmmu_lab.mmu.bits import DIRTY


class dirty_too(lists.ReverseMap):
    """An entry has to be dirty as well."""

    def frame(self, spte):
        entry = self.vm.memory.words[spte]
        if entry & PRESENT and entry & WRITABLE and entry & DIRTY:
            return (entry & BASE_MASK) >> PAGE_SHIFT
        return None


class entry_for_spte(sets.ReverseMap):
    """It keeps the value of the entry instead of its spte."""

    def add(self, spte):
        value = self.vm.memory.words[spte]
        if value & BOTH == BOTH:
            self.found[(value & FRAME_BITS) >> 12].add(value)


class frames_with_many(lists.ReverseMap):
    """`frames` names only frames that have more than one entry."""

    def frames(self):
        return [hfn for hfn, row in self.lists.items() if len(row) > 1]


class gfn_for_frame(lists.ReverseMap):
    """The map belongs to the guest's frame number instead of the host's."""

    def frame(self, spte):
        entry = self.vm.memory.words[spte]
        if entry & PRESENT and entry & WRITABLE:
            return self.vm.memory.gfns[(entry & BASE_MASK) >> PAGE_SHIFT]
        return None


class low_bits_in_frame(sets.ReverseMap):
    """The whole entry with its flags names the frame."""

    def add(self, spte):
        value = self.vm.memory.words[spte]
        if value & BOTH == BOTH:
            self.found[value & FRAME_BITS].add(spte)


class one_told_bare(lists.ReverseMap):
    """`sptes` answers a single entry as a number instead of a list of one."""

    def sptes(self, hfn):
        row = self.lists.get(hfn, [])
        return row[0] if len(row) == 1 else row


class shared_by_machines(lists.ReverseMap):
    """The maps are a class attribute, so that all machines share them."""

    lists = {}

    def __init__(self, vm):
        self.vm = vm


class words_of_the_constructor(lists.ReverseMap):
    """It keeps the words of the moment when it was made; they are replaced when the machine gets a lot of memory."""

    def __init__(self, vm):
        self.words = vm.memory.words
        self.lists = {}

    def frame(self, spte):
        entry = self.words[spte]
        if entry & PRESENT and entry & WRITABLE:
            return (entry & BASE_MASK) >> PAGE_SHIFT
        return None


class words_of_the_first_time(lists.ReverseMap):
    """It keeps the words of its first use; they are replaced when the machine gets more memory."""

    def frame(self, spte):
        self.words = getattr(self, "words", self.vm.memory.words)
        entry = self.words[spte]
        if entry & PRESENT and entry & WRITABLE:
            return (entry & BASE_MASK) >> PAGE_SHIFT
        return None
