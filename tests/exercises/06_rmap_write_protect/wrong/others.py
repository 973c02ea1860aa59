# SPDX-License-Identifier: GPL-2.0-only


class all_frames(lists.ReverseMap):
    """Protects every entry of every map."""

    def write_protect(self, gfn):
        hfn = self.vm.memory.frames[gfn]
        del hfn
        for spte in [spte for row in self.lists.values() for spte in row]:
            self.remove(spte)
            self.vm.flush_tlb()
            self.vm.memory.put(spte, self.vm.memory.words[spte] & ~WRITABLE, ev.PROTECT_SPTE)


class all_that_lead_there(lists.ReverseMap):
    """Looks at all entries that lead to the frame, and flushes for those that can't write, too."""

    def write_protect(self, gfn):
        hfn = self.vm.memory.frames[gfn]
        words = self.vm.memory.words
        for spte in range(self.vm.pool.pages[0].spte, self.vm.pool.pages[255].spte + 512):
            if words[spte] and (words[spte] & BASE_MASK) >> PAGE_SHIFT == hfn:
                self.remove(spte)
                self.vm.flush_tlb()
                self.vm.memory.put(spte, words[spte] & ~WRITABLE, ev.PROTECT_SPTE)


class gfn_where_hfn_has_no_map(descriptors):
    """Where the host frame has no map it takes that of the frame with the gfn as its number."""

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
            if hfn not in self.maps:
                hfn = gfn
            for spte in list(self.sptes(hfn)):
                self.remove(spte)
                self.vm.flush_tlb()
                value = self.vm.memory.words[spte]
                self.vm.memory.put(spte, value & ~WRITABLE, ev.PROTECT_SPTE)

        def sptes(self, hfn):
            return list(self.maps.get(hfn, ()))

        def frames(self):
            return list(self.maps)


class hash_of_256(lists.ReverseMap):
    """Protects whatever frame has the same number modulo 256."""

    def write_protect(self, gfn):
        hfn = self.vm.memory.frames[gfn]
        alike = [other for other in self.lists if hfn is not None and other & 255 == hfn & 255]
        for spte in [spte for other in alike for spte in self.lists[other]]:
            self.remove(spte)
            self.vm.flush_tlb()
            self.vm.memory.put(spte, self.vm.memory.words[spte] & ~WRITABLE, ev.PROTECT_SPTE)


class low_39_bits_compared(descriptors):
    """Frames with equal low 39 bits are protected together."""

    class ReverseMap:
        def __init__(self, vm):
            self.vm = vm
            self.m = {}
            self.init()

        def init(self):
            pass

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
            for s in [s for h in list(self.m) if h % 2**39 == hfn % 2**39 for s in self.sptes(h)]:
                self.remove(s)
                self.vm.flush_tlb()
                self.vm.memory.put(s, self.vm.memory.words[s] & ~WRITABLE, ev.PROTECT_SPTE)


class whole_page(lists.ReverseMap):
    """Takes W from all entries of the shadow page in which the entry is."""

    def write_protect(self, gfn):
        hfn = self.vm.memory.frames[gfn]
        for spte in list(self.lists.get(hfn, [])):
            self.remove(spte)
            self.vm.flush_tlb()
            self.vm.memory.put(spte, self.vm.memory.words[spte] & ~WRITABLE, ev.PROTECT_SPTE)
            for at in range(spte & ~511, (spte | 511) + 1):
                if self.frame(at) not in (None, hfn):
                    self.remove(at)
                    self.vm.memory.put(at, self.vm.memory.words[at] & ~WRITABLE, ev.PROTECT_SPTE)
