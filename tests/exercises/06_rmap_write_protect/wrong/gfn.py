# SPDX-License-Identifier: GPL-2.0-only


class bit_47_goes(descriptors):
    """Bit 47 of the entry goes with W."""

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
            for s in self.sptes(hfn):
                self.remove(s)
                self.vm.flush_tlb()
                self.vm.memory.put(s, self.vm.memory.words[s] & ~(WRITABLE | 1 << 47), ev.PROTECT_SPTE)


class frames_of_16_bits(descriptors):
    """A frame's number has 16 bits."""

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
            hfn = self.vm.memory.frames[gfn] & 0xffff
            for s in self.sptes(hfn):
                self.remove(s)
                self.vm.flush_tlb()
                self.vm.memory.put(s, self.vm.memory.words[s] & ~WRITABLE, ev.PROTECT_SPTE)


class frames_remembered(lists.ReverseMap):
    """Remembers which host frame a gfn was, though aliases change."""

    def __init__(self, vm):
        self.vm = vm
        self.lists = {}
        self.hfns = {}

    def write_protect(self, gfn):
        hfn = self.hfns.setdefault(gfn, self.vm.memory.frames[gfn])
        for spte in list(self.lists.get(hfn, [])):
            self.remove(spte)
            self.vm.flush_tlb()
            self.vm.memory.put(spte, self.vm.memory.words[spte] & ~WRITABLE, ev.PROTECT_SPTE)


class gfn_plus_base(lists.ReverseMap):
    """Takes the frame to be as far behind the first one as the gfn says, which holds in the first slot only."""

    def write_protect(self, gfn):
        hfn = self.vm.memory.slots[0].hfn + gfn
        for spte in list(self.lists.get(hfn, [])):
            self.remove(spte)
            self.vm.flush_tlb()
            self.vm.memory.put(spte, self.vm.memory.words[spte] & ~WRITABLE, ev.PROTECT_SPTE)


class high_frames_left(descriptors):
    """Frames from 2**32 on aren't protected."""

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
            if hfn >> 32:
                return
            for s in self.sptes(hfn):
                self.remove(s)
                self.vm.flush_tlb()
                self.vm.memory.put(s, self.vm.memory.words[s] & ~WRITABLE, ev.PROTECT_SPTE)


class low_32_bits_compared(descriptors):
    """Frames with equal low 32 bits are protected together."""

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
            for s in [s for h in list(self.m) if h % 2**32 == hfn % 2**32 for s in self.sptes(h)]:
                self.remove(s)
                self.vm.flush_tlb()
                self.vm.memory.put(s, self.vm.memory.words[s] & ~WRITABLE, ev.PROTECT_SPTE)


class no_aliases(lists.ReverseMap):
    """Finds the slot by itself, and knows nothing of aliases."""

    def write_protect(self, gfn):
        slots = [slot for slot in self.vm.memory.slots if slot.base <= gfn < slot.base + slot.npages]
        hfn = slots[0].hfn + gfn - slots[0].base if slots else None
        for spte in list(self.lists.get(hfn, [])):
            self.remove(spte)
            self.vm.flush_tlb()
            self.vm.memory.put(spte, self.vm.memory.words[spte] & ~WRITABLE, ev.PROTECT_SPTE)


class way_back(lists.ReverseMap):
    """Looks for the map whose frame has this gfn, and an alias is no frame's first name."""

    def write_protect(self, gfn):
        hfn = next((hfn for hfn in self.lists if self.vm.memory.gfns[hfn] == gfn), None)
        for spte in list(self.lists.get(hfn, [])):
            self.remove(spte)
            self.vm.flush_tlb()
            self.vm.memory.put(spte, self.vm.memory.words[spte] & ~WRITABLE, ev.PROTECT_SPTE)
