# SPDX-License-Identifier: GPL-2.0-only
"""`PteWrite`: a write to a guest page table, and the shadow entries that `prewrite.pre_write` zaps for it."""

from __future__ import annotations

from ..mmu.bits import guest_format
from ..mmu.machine import Machine
from ..mmu.pool import ShadowPage
from ..mmu.prewrite import FLOOD, shadow_range
from .inverse_walk import shadow_pages


class PteWrite:
    """A write of ``size`` bytes at ``offset`` of the table in ``gfn``, as it is just before it happens (mmu.c:1140-1212).

    ``entry_size``: bytes of a guest entry; ``pages``: the table's shadow pages; ``in_a_row``: this is the n-th write in a row
    to this gfn.
    """

    def __init__(self, vm: Machine, gfn: int, offset: int, size: int) -> None:
        self.gfn, self.offset, self.size = gfn, offset, size
        self.entry_size = guest_format(vm.root_level).size
        self.pages = shadow_pages(vm, gfn)
        self.in_a_row = vm.last_pt_write_count + 1 if gfn == vm.last_pt_write_gfn else 1

    @property
    def indices(self) -> range:
        """The guest entries of which bytes are written."""
        return range(self.offset // self.entry_size, (self.offset + self.size - 1) // self.entry_size + 1)

    @property
    def misaligned(self) -> bool:
        """Whether it writes bytes of two entries."""
        return len(self.indices) > 1

    @property
    def whole_page(self) -> bool:
        """Whether the table's shadow pages are zapped as a whole."""
        return self.misaligned or self.in_a_row >= FLOOD

    def sptes(self, page: ShadowPage) -> range:
        """The entries of one of the shadow pages that are zapped, if not the whole page is."""
        first, count = shadow_range(page, self.offset)
        return range(first, first + count)
