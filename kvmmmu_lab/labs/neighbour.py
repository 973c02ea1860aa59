# SPDX-License-Identifier: GPL-2.0-only
"""`neighbour`: a second processor of the guest, which goes on while the host works for the first."""

from __future__ import annotations

from ..draw.arguments import check_gva
from ..mmu import Vm
from ..mmu.cpu import shadow_walk


def neighbour(vm: Vm, gva: int) -> None:
    """Give the guest a second processor that wants to write at ``gva`` all the time. Raises InputError.

    It remembers translations (``vm.tlb``) until the host has them forgotten, and walks again at once when that happens: so
    it sees what the shadow says at that very moment. KVM of 2007 had no such guests; this is for asking what if.
    """
    check_gva(vm, gva)
    vm.tlb = {}
    flush = vm.flush_tlb

    def flush_and_walk() -> None:
        flush()
        shadow_walk(vm, gva, True, False, False)

    vm.flush_tlb = flush_and_walk  # type: ignore[method-assign]
