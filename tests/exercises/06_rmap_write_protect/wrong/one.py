# SPDX-License-Identifier: GPL-2.0-only


class built_from_the_frame(lists.ReverseMap):
    """It builds a new entry of the frame and the present bit, which loses the other flags."""

    def protect(self, spte):
        self.remove(spte)
        self.vm.flush_tlb()
        self.vm.memory.put(spte, self.vm.memory.words[spte] & BASE_MASK | PRESENT, ev.PROTECT_SPTE)


class cleared_before_removal(lists.ReverseMap):
    """It clears W first, so that `remove` finds nothing to do and the entry stays in the map."""

    def protect(self, spte):
        self.vm.flush_tlb()
        self.vm.memory.put(spte, self.vm.memory.words[spte] & ~WRITABLE, ev.PROTECT_SPTE)
        self.remove(spte)


class empty_stays(lists.ReverseMap):
    """It empties the list itself and leaves it there, so that its frame is still named."""

    def write_protect(self, gfn):
        row = self.sptes(self.vm.memory.frames[gfn])
        while row:
            spte = row.pop()
            self.vm.flush_tlb()
            self.vm.memory.put(spte, self.vm.memory.words[spte] & ~WRITABLE, ev.PROTECT_SPTE)


class gfn_for_hfn(lists.ReverseMap):
    """It looks for the map under the guest's frame number instead of the host's."""

    def write_protect(self, gfn):
        for spte in list(self.sptes(gfn)):
            self.protect(spte)


class nx_lost(lists.ReverseMap):
    """It keeps the lower 52 bits of the entry and loses NX."""

    def protect(self, spte):
        self.remove(spte)
        self.vm.flush_tlb()
        self.vm.memory.put(spte, self.vm.memory.words[spte] & (BASE_MASK | 0xFFD), ev.PROTECT_SPTE)


class only_out_of_map(lists.ReverseMap):
    """It empties the map and leaves the entries writable."""

    def protect(self, spte):
        self.remove(spte)
        self.vm.flush_tlb()


class present_cleared(lists.ReverseMap):
    """It clears the present bit instead of W."""

    def protect(self, spte):
        self.remove(spte)
        self.vm.flush_tlb()
        self.vm.memory.put(spte, self.vm.memory.words[spte] & ~PRESENT, ev.PROTECT_SPTE)


class set_changes_size(sets.ReverseMap):
    """It iterates over the set from which it removes, which Python refuses."""

    def write_protect(self, gfn):
        vm = self.vm
        for spte in self.found[vm.memory.frames[gfn]]:
            self.remove(spte)
            vm.flush_tlb()
            vm.memory.put(spte, vm.memory.words[spte] ^ 2, PROTECT_SPTE)


class still_in_map(lists.ReverseMap):
    """It clears W and leaves the entry in the map."""

    def protect(self, spte):
        self.vm.flush_tlb()
        self.vm.memory.put(spte, self.vm.memory.words[spte] & ~WRITABLE, ev.PROTECT_SPTE)


class value_of_when_it_was_added(lists.ReverseMap):
    """It writes the value that the entry had when it was added."""

    def __init__(self, vm):
        self.vm = vm
        self.lists = {}
        self.values = {}

    def add(self, spte):
        hfn = self.frame(spte)
        if hfn is not None:
            self.lists.setdefault(hfn, []).append(spte)
            self.values[spte] = self.vm.memory.words[spte]

    def protect(self, spte):
        self.remove(spte)
        self.vm.flush_tlb()
        self.vm.memory.put(spte, self.values[spte] & ~WRITABLE, ev.PROTECT_SPTE)


class written_without_put(lists.ReverseMap):
    """It writes the entry straight into memory instead of calling `put`."""

    def protect(self, spte):
        self.remove(spte)
        self.vm.flush_tlb()
        self.vm.memory.words[spte] &= ~WRITABLE


class zeroed(lists.ReverseMap):
    """It zeroes the entry."""

    def protect(self, spte):
        self.remove(spte)
        self.vm.flush_tlb()
        self.vm.memory.put(spte, 0, ev.PROTECT_SPTE)
