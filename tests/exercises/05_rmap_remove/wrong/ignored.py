# SPDX-License-Identifier: GPL-2.0-only


class acts_on_read_only(lists.ReverseMap):
    """It removes without asking whether the entry can write, and fails for one that was never added."""

    def remove(self, spte):
        hfn = (self.vm.memory.words[spte] & BASE_MASK) >> PAGE_SHIFT
        self.lists[hfn].remove(spte)
        if not self.lists[hfn]:
            del self.lists[hfn]


class empty_entry(lists.ReverseMap):
    """It fails for an empty entry."""

    def remove(self, spte):
        entry = self.vm.memory.words[spte]
        hfn = (entry & BASE_MASK) >> PAGE_SHIFT
        if not entry or (entry & PRESENT and entry & WRITABLE):
            self.lists[hfn].remove(spte)
            if not self.lists[hfn]:
                del self.lists[hfn]


class present_is_enough(lists.ReverseMap):
    """It removes every entry that is present."""

    def remove(self, spte):
        entry = self.vm.memory.words[spte]
        hfn = (entry & BASE_MASK) >> PAGE_SHIFT
        if entry & PRESENT:
            self.lists[hfn].remove(spte)
            if not self.lists[hfn]:
                del self.lists[hfn]


class read_only_takes_one_along(lists.ReverseMap):
    """A read-only entry takes the newest entry of its frame along."""

    def remove(self, spte):
        hfn = (self.vm.memory.words[spte] & BASE_MASK) >> PAGE_SHIFT
        if hfn in self.lists:
            self.lists[hfn].remove(spte if spte in self.lists[hfn] else self.lists[hfn][-1])
            if not self.lists[hfn]:
                del self.lists[hfn]


class read_only_user_entry_empties(lists.ReverseMap):
    """If a read-only entry of user code is removed, the map of its frame is deleted when it holds one entry."""

    def remove(self, spte):
        hfn = self.frame(spte)
        if hfn is not None:
            self.lists[hfn].remove(spte)
            if not self.lists[hfn]:
                del self.lists[hfn]
        elif self.vm.memory.words[spte] & 7 == 5:
            hfn = (self.vm.memory.words[spte] & BASE_MASK) >> PAGE_SHIFT
            if len(self.lists.get(hfn, ())) == 1:
                del self.lists[hfn]
