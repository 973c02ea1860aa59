# SPDX-License-Identifier: GPL-2.0-only


class first_descriptor_only(descriptors.ReverseMap):
    """Looks for an entry in the first descriptor only when one is removed."""

    def remove(self, spte):
        hfn = self.frame_of(spte)
        if hfn is None:
            return
        row = self.kept[hfn]
        if row == spte:
            del self.kept[hfn]
            return
        for number, descriptor in enumerate(row[:1]):
            if spte in descriptor:
                last = descriptor.pop()
                if last != spte:
                    descriptor[descriptor.index(spte)] = last
                if not descriptor:
                    del row[number]
                    self.vm.caches.rmap_desc.give()
                break
        if not row:
            del self.kept[hfn]

    def write_protect(self, gfn):
        hfn = self.vm.memory.frames[gfn]
        for _ in self.sptes(hfn):
            first = self.kept[hfn] if isinstance(self.kept[hfn], int) else self.kept[hfn][0][0]
            self.remove(first)
            self.vm.flush_tlb()
            self.vm.memory.put(first, self.vm.memory.words[first] & ~WRITABLE, ev.PROTECT_SPTE)


class last_of_twelve_overwritten(descriptors):
    """After a removal from a long map the next one overwrites the last."""

    class ReverseMap:
        def __init__(self, vm):
            self.vm = vm
            self.m = {}
            self.init()

        def init(self):
            self.q = set()

        def hfn(self, e):
            return (e & BASE_MASK) >> PAGE_SHIFT

        def counts(self, e):
            return e & 3 == 3

        def add(self, spte):
            e = self.vm.memory.words[spte]
            if self.counts(e):
                self.note(self.hfn(e), spte)

        def note(self, h, spte):
            if h in self.q:
                self.m[h].pop()
                self.q.discard(h)
            self.m.setdefault(h, []).append(spte)

        def remove(self, spte):
            e = self.vm.memory.words[spte]
            if self.counts(e):
                self.forget(self.hfn(e), spte)

        def forget(self, h, spte):
            self.m[h].remove(spte)
            if not self.m[h]:
                del self.m[h]
            if len(self.m.get(h, [])) == 11:
                self.q.add(h)

        def sptes(self, hfn):
            return list(self.m.get(hfn, []))

        def frames(self):
            return list(self.m)

        def write_protect(self, gfn):
            hfn = self.vm.memory.frames[gfn]
            for s in self.sptes(hfn):
                self.remove(s)
                self.vm.flush_tlb()
                self.vm.memory.put(s, self.vm.memory.words[s] & ~WRITABLE, ev.PROTECT_SPTE)


class read_only_removed(lists.ReverseMap):
    """Stumbles over a read-only entry that is removed."""

    def remove(self, spte):
        hfn = (self.vm.memory.words[spte] & BASE_MASK) >> PAGE_SHIFT
        self.lists[hfn].remove(spte)
        if not self.lists[hfn]:
            del self.lists[hfn]


class twice_after_removal(descriptors):
    """What was removed from a long map and comes back is there twice."""

    class ReverseMap:
        def __init__(self, vm):
            self.vm = vm
            self.m = {}
            self.init()

        def init(self):
            self.q = set()

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
            if spte in self.q:
                self.m[h].append(spte)

        def remove(self, spte):
            e = self.vm.memory.words[spte]
            if self.counts(e):
                self.forget(self.hfn(e), spte)

        def forget(self, h, spte):
            if self.m[h].index(spte) > 3:
                self.q.add(spte)
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
                self.vm.memory.put(s, self.vm.memory.words[s] & ~WRITABLE, ev.PROTECT_SPTE)
