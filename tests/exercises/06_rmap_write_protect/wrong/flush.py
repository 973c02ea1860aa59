# SPDX-License-Identifier: GPL-2.0-only


class flush_after(lists.ReverseMap):
    """Flushes when W is gone already."""

    def write_protect(self, gfn):
        hfn = self.vm.memory.frames[gfn]
        for spte in list(self.lists.get(hfn, [])):
            self.remove(spte)
            self.vm.memory.put(spte, self.vm.memory.words[spte] & ~WRITABLE, ev.PROTECT_SPTE)
            self.vm.flush_tlb()


class flushes_before_all(lists.ReverseMap):
    """Flushes as often as there are entries, but before the first of them changes."""

    def write_protect(self, gfn):
        hfn = self.vm.memory.frames[gfn]
        for _ in self.lists.get(hfn, []):
            self.vm.flush_tlb()
        for spte in list(self.lists.get(hfn, [])):
            self.remove(spte)
            self.vm.memory.put(spte, self.vm.memory.words[spte] & ~WRITABLE, ev.PROTECT_SPTE)


class no_flush(lists.ReverseMap):
    """Never flushes."""

    def write_protect(self, gfn):
        hfn = self.vm.memory.frames[gfn]
        for spte in list(self.lists.get(hfn, [])):
            self.remove(spte)
            self.vm.memory.put(spte, self.vm.memory.words[spte] & ~WRITABLE, ev.PROTECT_SPTE)


class no_flush_for_an_alias(descriptors):
    """No flush if the frame is protected by another name than before."""

    class ReverseMap:
        def __init__(self, vm):
            self.vm = vm
            self.m = {}
            self.init()

        def init(self):
            self.q = {}

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
                if self.q.setdefault(hfn, gfn) == gfn:
                    self.vm.flush_tlb()
                self.vm.memory.put(s, self.vm.memory.words[s] & ~WRITABLE, ev.PROTECT_SPTE)


class one_flush(lists.ReverseMap):
    """Flushes once for all entries, at the end."""

    def write_protect(self, gfn):
        hfn = self.vm.memory.frames[gfn]
        done = False
        for spte in list(self.lists.get(hfn, [])):
            done = True
            self.remove(spte)
            self.vm.memory.put(spte, self.vm.memory.words[spte] & ~WRITABLE, ev.PROTECT_SPTE)
        if done:
            self.vm.flush_tlb()


class two_flushes(lists.ReverseMap):
    """Flushes before and after W goes."""

    def write_protect(self, gfn):
        hfn = self.vm.memory.frames[gfn]
        for spte in list(self.lists.get(hfn, [])):
            self.remove(spte)
            self.vm.flush_tlb()
            self.vm.memory.put(spte, self.vm.memory.words[spte] & ~WRITABLE, ev.PROTECT_SPTE)
            self.vm.flush_tlb()
