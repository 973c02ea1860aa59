# SPDX-License-Identifier: GPL-2.0-only
"""Parts of a VM that switch off one mechanism of the MMU, to see what a guest would notice without it."""

from __future__ import annotations

from typing import Any

from ..mmu.machine import Machine
from ..mmu.prewrite import pre_write
from ..mmu.rmap import ReverseMap
from ..mmu.spte import set_spte


class NoWriteProtection(ReverseMap):
    """A reverse map that never write-protects a frame."""

    def write_protect(self, gfn: int) -> None:
        """Do nothing."""


def unprotected_spte(vm: Machine, spte: int, guest_entry: int, rights: int, gpa: int, gfn: int) -> None:
    """Set a shadow entry as if the frame that it maps were not a page table."""
    set_spte(vm, spte, guest_entry, rights, gpa, -1)


def no_pre_write(vm: Machine, gpa: int, size: int) -> None:
    """Do nothing."""


WITHOUT: dict[str, tuple[str, dict[str, Any]]] = {
    "prewrite": ("emulated", {"pre_write": no_pre_write}),
    "write-protection": ("native", {"rmap": NoWriteProtection, "set_spte": unprotected_spte}),
}
"""Maps a mechanism to the way of replay that depends on it and to the parts that switch the mechanism off."""


# A part that switches off a shortcut: nothing goes wrong without it, but it is slower or faster


def no_flooding(vm: Machine, gpa: int, size: int) -> None:
    """Pre-write that never takes writes in a row for a sign that the frame isn't a page table any more."""
    vm.last_pt_write_count = 0
    pre_write(vm, gpa, size)


NO_FLOODING: dict[str, Any] = {"pre_write": no_flooding}
"""The part that zaps single entries, however often a page table is written."""
