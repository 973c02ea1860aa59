# SPDX-License-Identifier: GPL-2.0-only
"""A set for each frame that was asked for; frames with an empty set are not named."""

from collections import defaultdict

BOTH = 3
FRAME_BITS = (1 << 52) - 1


class ReverseMap:
    def __init__(self, vm):
        self.vm = vm
        self.found = defaultdict(set)

    def add(self, spte):
        value = self.vm.memory.words[spte]
        if value & BOTH == BOTH:
            self.found[(value & FRAME_BITS) >> 12].add(spte)

    def sptes(self, hfn):
        return self.found[hfn]

    def frames(self):
        return {hfn for hfn, sptes in self.found.items() if sptes}
