# SPDX-License-Identifier: GPL-2.0-only


class cleared_before_removal(lists.ReverseMap):
    """Clears W first, so that remove finds nothing to do and the entry stays in the map."""

    def write_protect(self, gfn):
        hfn = self.vm.memory.frames[gfn]
        for spte in list(self.lists.get(hfn, [])):
            self.vm.flush_tlb()
            self.vm.memory.put(spte, self.vm.memory.words[spte] & ~WRITABLE, ev.PROTECT_SPTE)
            self.remove(spte)


class empty_stays(lists.ReverseMap):
    """Empties the list itself and leaves it there, so that its frame is still named."""

    def write_protect(self, gfn):
        hfn = self.vm.memory.frames[gfn]
        row = self.lists.get(hfn, [])
        while row:
            spte = row.pop()
            self.vm.flush_tlb()
            self.vm.memory.put(spte, self.vm.memory.words[spte] & ~WRITABLE, ev.PROTECT_SPTE)


class gfn_for_hfn(lists.ReverseMap):
    """Looks for the map under the guest's number of the frame, not the host's."""

    def write_protect(self, gfn):
        hfn = gfn
        for spte in list(self.lists.get(hfn, [])):
            self.remove(spte)
            self.vm.flush_tlb()
            self.vm.memory.put(spte, self.vm.memory.words[spte] & ~WRITABLE, ev.PROTECT_SPTE)


class made_anew(lists.ReverseMap):
    """Makes the entry anew from frame and present bit, and loses its other flags."""

    def write_protect(self, gfn):
        hfn = self.vm.memory.frames[gfn]
        for spte in list(self.lists.get(hfn, [])):
            self.remove(spte)
            self.vm.flush_tlb()
            self.vm.memory.put(spte, hfn << PAGE_SHIFT | PRESENT, ev.PROTECT_SPTE)


class nx_lost(lists.ReverseMap):
    """Keeps the lower 52 bits of the entry and loses NX."""

    def write_protect(self, gfn):
        hfn = self.vm.memory.frames[gfn]
        for spte in list(self.lists.get(hfn, [])):
            self.remove(spte)
            self.vm.flush_tlb()
            self.vm.memory.put(spte, self.vm.memory.words[spte] & (BASE_MASK | 0xFFD), ev.PROTECT_SPTE)


class only_out_of_map(lists.ReverseMap):
    """Empties the map and leaves the entries writable."""

    def write_protect(self, gfn):
        hfn = self.vm.memory.frames[gfn]
        for spte in list(self.lists.get(hfn, [])):
            self.remove(spte)
            self.vm.flush_tlb()


class past_the_door(lists.ReverseMap):
    """Writes into memory itself, past the door through which everybody hears of it."""

    def write_protect(self, gfn):
        hfn = self.vm.memory.frames[gfn]
        for spte in list(self.lists.get(hfn, [])):
            self.remove(spte)
            self.vm.flush_tlb()
            self.vm.memory.words[spte] &= ~WRITABLE


class present_cleared(lists.ReverseMap):
    """Clears the present bit instead of W."""

    def write_protect(self, gfn):
        hfn = self.vm.memory.frames[gfn]
        for spte in list(self.lists.get(hfn, [])):
            self.remove(spte)
            self.vm.flush_tlb()
            self.vm.memory.put(spte, self.vm.memory.words[spte] & ~PRESENT, ev.PROTECT_SPTE)


class set_changes_size(sets.ReverseMap):
    """Goes along the set from which it removes, and Python stops it."""

    def write_protect(self, gfn):
        vm = self.vm
        for spte in self.found[vm.memory.frames[gfn]]:
            self.remove(spte)
            vm.flush_tlb()
            vm.memory.put(spte, vm.memory.words[spte] ^ 2, PROTECT_SPTE)


class still_in_map(lists.ReverseMap):
    """Clears W and doesn't take the entry out of the map."""

    def write_protect(self, gfn):
        hfn = self.vm.memory.frames[gfn]
        for spte in list(self.lists.get(hfn, [])):
            self.vm.flush_tlb()
            self.vm.memory.put(spte, self.vm.memory.words[spte] & ~WRITABLE, ev.PROTECT_SPTE)


class value_of_when_it_was_added(descriptors):
    """The entry's value is remembered when it is added, and put."""

    class ReverseMap:
        def __init__(self, vm):
            self.vm = vm
            self.m = {}
            self.init()

        def init(self):
            self.v = {}

        def hfn(self, e):
            return (e & BASE_MASK) >> PAGE_SHIFT

        def counts(self, e):
            return e & 3 == 3

        def add(self, spte):
            e = self.vm.memory.words[spte]
            if self.counts(e):
                self.note(self.hfn(e), spte)

        def note(self, h, spte):
            self.m.setdefault(h, []).append(spte)
            self.v[spte] = self.vm.memory.words[spte]

        def remove(self, spte):
            e = self.vm.memory.words[spte]
            if self.counts(e):
                self.forget(self.hfn(e), spte)

        def forget(self, h, spte):
            self.m[h].remove(spte)
            if not self.m[h]:
                del self.m[h]

        def sptes(self, hfn):
            return list(self.m.get(hfn, []))

        def frames(self):
            return list(self.m)

        def write_protect(self, gfn):
            hfn = self.vm.memory.frames[gfn]
            for s in self.sptes(hfn):
                self.remove(s)
                self.vm.flush_tlb()
                self.vm.memory.put(s, self.v[s] & ~WRITABLE, ev.PROTECT_SPTE)


class zeroed(lists.ReverseMap):
    """Zeroes the entry instead of its W."""

    def write_protect(self, gfn):
        hfn = self.vm.memory.frames[gfn]
        for spte in list(self.lists.get(hfn, [])):
            self.remove(spte)
            self.vm.flush_tlb()
            self.vm.memory.put(spte, 0, ev.PROTECT_SPTE)
