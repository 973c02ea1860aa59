# SPDX-License-Identifier: GPL-2.0-only
"""Adds every entry, also those that can't write."""
# breaks: writable

from collections import defaultdict

FRAME_BITS = (1 << 52) - 1


class ReverseMap:
    def __init__(self, vm):
        self.vm = vm
        self.found = defaultdict(set)

    def add(self, spte):
        value = self.vm.memory.words[spte]
        self.found[(value & FRAME_BITS) >> 12].add(spte)

    def sptes(self, hfn):
        return self.found[hfn]

    def frames(self):
        return {hfn for hfn, sptes in self.found.items() if sptes}
