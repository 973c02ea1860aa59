# SPDX-License-Identifier: GPL-2.0-only
"""Exercise 03: make a shadow entry. The task is in README.md."""

from kvmmmu_lab.mmu import events as ev  # noqa: F401
from kvmmmu_lab.mmu.shadow import update_slot  # noqa: F401


def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
    """Make the level-1 shadow entry ``spte`` for a guest entry.

    ``spte``: where it is, an index into ``vm.memory.words``. ``guest_entry``: the guest's last entry, which is present.
    ``rights``: the W and U bits that all guest entries above it allow. ``gpa``: byte address of the 4 KiB frame, a multiple
    of 4096 below 2**52. ``gfn``: the frame that the walk found; gpa >> 12 except with PSE-36. Returns nothing and raises no
    exception.
    """
    raise NotImplementedError("write set_spte")
