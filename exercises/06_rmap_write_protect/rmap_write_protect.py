# SPDX-License-Identifier: GPL-2.0-only
"""Exercise 06: a reverse map that removes write access to a frame. The task is in README.md; check it with
``kvmmmu-lab check rmap_write_protect``."""

from kvmmmu_lab.mmu import events as ev  # noqa: F401  # for you: ev.PROTECT_SPTE
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
        """The same as in exercise 05."""
        raise NotImplementedError("copy yours from exercise 05")

    def write_protect(self, gfn):
        """Remove write access to the guest's frame ``gfn``, which becomes a page table.

        For each recorded spte of the frame, in any order: remove it from the map, ``self.vm.flush_tlb()``, then clear W with
        ``self.vm.memory.put``. ``gfn`` is the guest's number; ``self.vm.memory.frames[gfn]`` is the host's. Returns nothing.
        """
        raise NotImplementedError("write write_protect")

    def sptes(self, hfn):
        """The same as in exercise 04."""
        raise NotImplementedError("copy yours from exercise 04")

    def frames(self):
        """The same as in exercise 04."""
        raise NotImplementedError("copy yours from exercise 04")
