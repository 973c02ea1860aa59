# SPDX-License-Identifier: GPL-2.0-only
"""Exercise 05: a reverse map from which entries go again. The task is in README.md; check it with
``kvmmmu-lab check rmap_remove``."""

from kvmmmu_lab.mmu.bits import BASE_MASK, PAGE_SHIFT, PRESENT, WRITABLE  # noqa: F401  # for you


class ReverseMap:
    """By host frame, the shadow entries through which it can be written."""

    def __init__(self, vm):
        """``vm`` is the machine that this map belongs to. It has no memory yet: keep it, and look at it later."""
        self.vm = vm

    def add(self, spte):
        """As in exercise 04."""
        raise NotImplementedError("copy yours from exercise 04")

    def remove(self, spte):
        """The shadow entry ``spte`` is about to be cleared, or to lose its W: forget it.

        Its value, ``self.vm.memory.words[spte]``, is still what it was. Nothing happens if it isn't present and writable.
        Returns nothing.
        """
        raise NotImplementedError("write remove")

    def sptes(self, hfn):
        """As in exercise 04."""
        raise NotImplementedError("copy yours from exercise 04")

    def frames(self):
        """As in exercise 04."""
        raise NotImplementedError("copy yours from exercise 04")
