# SPDX-License-Identifier: GPL-2.0-only
"""Exercise 04: a reverse map to which entries are added. The task is in README.md; check it with
``kvmmmu-lab check rmap_add``."""

from kvmmmu_lab.mmu.bits import BASE_MASK, PAGE_SHIFT, PRESENT, WRITABLE  # noqa: F401  # for you


class ReverseMap:
    """For each host frame, the shadow entries through which it can be written."""

    def __init__(self, vm):
        """``vm`` is the machine that this map belongs to. It has no guest memory yet: read ``vm.memory`` later."""
        self.vm = vm

    def add(self, spte):
        """Record the shadow entry ``spte``, which has just been made, if it is present and writable.

        ``spte`` is an int, the index of the entry's word: its value is ``self.vm.memory.words[spte]``. Returns nothing.
        """
        raise NotImplementedError("write add")

    def sptes(self, hfn):
        """Return all recorded sptes of host frame ``hfn``, each once, in any order; an empty collection if there are none."""
        raise NotImplementedError("write sptes")

    def frames(self):
        """Return the numbers (hfn) of all host frames that have at least one recorded spte, in any order."""
        raise NotImplementedError("write frames")
