# SPDX-License-Identifier: GPL-2.0-only
"""The parts of a VM that can be replaced, one protocol each.

``Vm(rmap=Mine)`` uses your reverse map, and so on; nothing else changes. A part may read the VM's state freely and
writes it through the doors only: ``vm.memory.put``, ``vm.memory.store``, ``vm.memory.mark_dirty``, ``vm.flush_tlb``.
An spte is the index of a shadow entry's word: its value is ``vm.memory.words[spte]``.

============= ====================================== ==============================
part          what is given to `Vm`                  the kernel's own
============= ====================================== ==============================
rmap          a class, made with the Vm              `rmap.ReverseMap`
parents       a class, made with the Vm              `parents.ParentChains`
walk          a function (`GuestWalk`)               `walk.walk_guest`
set_spte      a function (`SpteMaker`)               `spte.set_spte`
pre_write     a function (`PreWrite`)                `prewrite.pre_write`
============= ====================================== ==============================

An exception in a part ends the VM as a host crash does: its state is no longer that of the model.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from .pool import ShadowPage
from .walk import Walk

if TYPE_CHECKING:
    from .machine import Machine


class ReverseMapPart(Protocol):
    """From host frames to the present, writable level-1 entries that reach them (mmu.c:307-440)."""

    def add(self, spte: int) -> None:
        """The entry ``spte`` has just been made. To be noted if it is present and writable."""

    def remove(self, spte: int) -> None:
        """The entry ``spte`` is about to lose its present or writable bit, which are still set if it was noted."""

    def write_protect(self, gfn: int) -> None:
        """Take every noted entry of guest frame ``gfn`` out, flush, and clear its writable bit, in this order."""

    def sptes(self, hfn: int) -> Iterable[int]:
        """The noted entries of host frame ``hfn``, for audits and pictures."""

    def frames(self) -> Iterable[int]:
        """The host frames with at least one noted entry."""


class ParentsPart(Protocol):
    """From shadow pages to the entries that point to them (mmu.c:491-565)."""

    def add(self, page: ShadowPage, spte: int) -> None:
        """The entry ``spte`` is about to point to ``page``."""

    def remove(self, page: ShadowPage, spte: int) -> None:
        """The entry ``spte`` no longer points to ``page``."""

    def first(self, page: ShadowPage) -> int | None:
        """Some parent of ``page``, None if it has none. Zapping asks until it has none."""

    def sptes(self, page: ShadowPage) -> Iterable[int]:
        """All parents of ``page``, for pictures."""


class GuestWalk(Protocol):
    """Walk the guest's tables for one access, set accessed bits, say where it ended (paging_tmpl.h:72)."""

    def __call__(self, vm: Machine, gva: int, write: bool, user: bool, fetch: bool) -> Walk:
        """Called as the class says."""


class SpteMaker(Protocol):
    """Make a level-1 shadow entry from a guest entry (mmu.c:954-1000).

    Writes it, marks the frame dirty if it is writable, calls `shadow.update_slot` and ``vm.rmap.add`` unless it is
    an I/O entry.
    """

    def __call__(self, vm: Machine, spte: int, guest_entry: int, rights: int, gpa: int, gfn: int) -> None:
        """Called as the class says."""


class PreWrite(Protocol):
    """Zap what the write of ``size`` bytes at ``gpa``, which is about to happen, makes stale (mmu.c:1140-1212)."""

    def __call__(self, vm: Machine, gpa: int, size: int) -> None:
        """Called as the class says."""
