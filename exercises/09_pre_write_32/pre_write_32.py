# SPDX-License-Identifier: GPL-2.0-only
"""Exercise 09: what happens before a write to a page table, with entries of 4 bytes or of 8. The task is in README.md."""

from kvmmmu_lab.mmu import events as ev  # noqa: F401
from kvmmmu_lab.mmu.bits import BASE_MASK, PAGE_SHIFT, PRESENT  # noqa: F401
from kvmmmu_lab.mmu.memory import FIRST_SHADOW
from kvmmmu_lab.mmu.shadow import zap_page  # noqa: F401


def child(vm, entry):
    """Return the shadow page that ``entry`` points to; ``entry`` is present and in a shadow page of level 2, 3 or 4."""
    return vm.pool.pages[((entry & BASE_MASK) >> PAGE_SHIFT) - FIRST_SHADOW]


def pre_write(vm, gpa, size):
    """Zap the shadow entries that were made from the guest entry that is about to be written; it has 4 or 8 bytes.
    ``vm`` is the machine, ``gpa`` the address of the first byte, ``size`` the number of bytes: 1, 2, 4 or 8, all in one
    guest frame. The bytes have not changed yet, and their new value is not known. Returns nothing and raises no exception.
    """
    raise NotImplementedError("write pre_write")
