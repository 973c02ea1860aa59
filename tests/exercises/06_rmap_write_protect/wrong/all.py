# SPDX-License-Identifier: GPL-2.0-only


class a_call_for_each_entry(descriptors):
    """Calls itself for each entry, and a thousand are too many."""

    class ReverseMap:
        def __init__(self, vm):
            self.vm = vm
            self.maps = {}

        def add(self, spte):
            entry = self.vm.memory.words[spte]
            if entry & PRESENT and entry & WRITABLE:
                hfn = (entry & BASE_MASK) >> PAGE_SHIFT
                self.maps.setdefault(hfn, []).append(spte)

        def remove(self, spte):
            entry = self.vm.memory.words[spte]
            if entry & PRESENT and entry & WRITABLE:
                hfn = (entry & BASE_MASK) >> PAGE_SHIFT
                own = self.maps[hfn]
                own.remove(spte)
                if not own:
                    del self.maps[hfn]

        def write_protect(self, gfn):
            hfn = self.vm.memory.frames[gfn]
            for spte in self.sptes(hfn)[:1]:
                self.remove(spte)
                self.vm.flush_tlb()
                value = self.vm.memory.words[spte]
                self.vm.memory.put(spte, value & ~WRITABLE, ev.PROTECT_SPTE)
                self.write_protect(gfn)

        def sptes(self, hfn):
            return list(self.maps.get(hfn, ()))

        def frames(self):
            return list(self.maps)


class every_second(lists.ReverseMap):
    """Goes along the list from which it removes, and so passes by every second entry."""

    def write_protect(self, gfn):
        hfn = self.vm.memory.frames[gfn]
        for spte in self.lists.get(hfn, []):
            self.remove(spte)
            self.vm.flush_tlb()
            self.vm.memory.put(spte, self.vm.memory.words[spte] & ~WRITABLE, ev.PROTECT_SPTE)


class first_only(lists.ReverseMap):
    """Protects the first entry and leaves the others writable."""

    def write_protect(self, gfn):
        hfn = self.vm.memory.frames[gfn]
        for spte in list(self.lists.get(hfn, []))[:1]:
            self.remove(spte)
            self.vm.flush_tlb()
            self.vm.memory.put(spte, self.vm.memory.words[spte] & ~WRITABLE, ev.PROTECT_SPTE)


class four_only(descriptors.ReverseMap):
    """Protects the entries of the first descriptor only."""

    def write_protect(self, gfn):
        hfn = self.vm.memory.frames[gfn]
        for _ in range(min(4, len(self.sptes(hfn)))):
            first = self.kept[hfn] if isinstance(self.kept[hfn], int) else self.kept[hfn][0][0]
            self.remove(first)
            self.vm.flush_tlb()
            self.vm.memory.put(first, self.vm.memory.words[first] & ~WRITABLE, ev.PROTECT_SPTE)


class last_left(lists.ReverseMap):
    """Stops one entry too early where there are several."""

    def write_protect(self, gfn):
        hfn = self.vm.memory.frames[gfn]
        row = list(self.lists.get(hfn, []))
        for spte in row[: max(1, len(row) - 1)]:
            self.remove(spte)
            self.vm.flush_tlb()
            self.vm.memory.put(spte, self.vm.memory.words[spte] & ~WRITABLE, ev.PROTECT_SPTE)


class value_of_the_first(lists.ReverseMap):
    """Writes the first entry's value into all of them."""

    def write_protect(self, gfn):
        hfn = self.vm.memory.frames[gfn]
        row = list(self.lists.get(hfn, []))
        entry = self.vm.memory.words[row[0]] if row else 0
        for spte in row:
            self.remove(spte)
            self.vm.flush_tlb()
            self.vm.memory.put(spte, entry & ~WRITABLE, ev.PROTECT_SPTE)
