# SPDX-License-Identifier: GPL-2.0-only
"""Exercise 05: a reverse map from which entries are removed. The task is in README.md; check it with
``kvmmmu-lab check rmap_remove``."""

from kvmmmu_lab.mmu.bits import BASE_MASK, PAGE_SHIFT, PRESENT, WRITABLE  # noqa: F401  # for you


class ReverseMap:
    """For each host frame, the shadow entries through which it can be written."""

    def __init__(self, vm):
        """``vm`` is the machine that this map belongs to. It has no guest memory yet: read ``vm.memory`` later."""
        self.vm = vm

    def add(self, spte):
        """The same as in exercise 04."""
        raise NotImplementedError("copy yours from exercise 04")

    def remove(self, spte):
        """Remove the shadow entry ``spte``, which is about to be cleared or to lose its W, from its map.

        Its value, ``self.vm.memory.words[spte]``, has not changed yet. If it is not present and writable, nothing happens.
        Returns nothing.
        """
        raise NotImplementedError("write remove")

    def sptes(self, hfn):
        """The same as in exercise 04."""
        raise NotImplementedError("copy yours from exercise 04")

    def frames(self):
        """The same as in exercise 04."""
        raise NotImplementedError("copy yours from exercise 04")
