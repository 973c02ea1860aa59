# SPDX-License-Identifier: GPL-2.0-only
"""A correct reverse map, and one that loses the fourth entry when a fifth is added."""

RIGHT = """
from kvmmmu_lab.mmu.bits import BASE_MASK, PAGE_SHIFT, PRESENT, WRITABLE

class ReverseMap:
    def __init__(self, vm):
        self.vm, self.lists = vm, {}

    def add(self, spte):
        entry = self.vm.memory.words[spte]
        if entry & PRESENT and entry & WRITABLE:
            kept = self.lists.setdefault((entry & BASE_MASK) >> PAGE_SHIFT, [])
            kept.append(spte)

    def sptes(self, hfn):
        return self.lists.get(hfn, [])

    def frames(self):
        return list(self.lists)
"""
WRONG = RIGHT.replace("kept.append", "del kept[3:]\n            kept.append")
FIRST_LINE = "        entry = self.vm"
"""The first line of `add`; `before` puts a statement in front of it."""


def before(statement):
    """Return the correct reverse map, with a statement at the beginning of `add`."""
    return RIGHT.replace(FIRST_LINE, f"        {statement}\n{FIRST_LINE}")
