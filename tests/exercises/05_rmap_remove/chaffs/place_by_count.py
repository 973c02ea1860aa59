# SPDX-License-Identifier: GPL-2.0-only
"""Puts a new entry where the number of entries says, though a removed one has left its place elsewhere."""
# breaks: many

from kvmmmu_lab.mmu.bits import BASE_MASK, PAGE_SHIFT


class ReverseMap:
    def __init__(self, vm):
        self.vm = vm
        self.kept = {}

    def frame(self, spte):
        return (self.vm.memory.words[spte] & BASE_MASK) >> PAGE_SHIFT

    def add(self, spte):
        if self.vm.memory.words[spte] & 3 == 3:
            places = self.kept.setdefault(self.frame(spte), {})
            places[len(places) if len(places) > 3 else min(set(range(4)) - set(places))] = spte

    def remove(self, spte):
        if self.vm.memory.words[spte] & 3 == 3:
            places = self.kept[self.frame(spte)]
            del places[next(n for n, at in places.items() if at == spte)]
            if not places:
                del self.kept[self.frame(spte)]

    def sptes(self, hfn):
        return list(self.kept.get(hfn, {}).values())

    def frames(self):
        return list(self.kept)
