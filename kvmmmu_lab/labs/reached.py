# SPDX-License-Identifier: GPL-2.0-only
"""Addresses that lead through a table of the guest's: to have a path to draw, and something to access."""

from __future__ import annotations

from ..mmu.bits import PAGE_SHIFT, PRESENT, ROOT_32, ROOT_64, canonical, guest_format
from ..mmu.machine import Machine
from ..mmu.pool import METAPHYSICAL, ShadowPage
from ..mmu.prewrite import shadow_range
from ..read.paths import guest_entry, guest_tree, made_from, maps_large

HALF = 1 << 21
"""What one shadow link maps. A 4-byte directory entry maps two halves of this size, by two links."""


def pages_of(vm: Machine, gfn: int) -> list[ShadowPage]:
    """The shadow pages of a guest's table: one, or the quadrants of a 32-bit guest's."""
    found = [page for page in vm.pool.bucket(gfn) if page.gfn == gfn and not page.role & METAPHYSICAL]
    return sorted(found, key=lambda page: page.role)


def in_shadow(vm: Machine, gfn: int, index: int) -> bool:
    """Whether something was made from an entry of a guest's table."""
    ranges = [shadow_range(page, index * guest_format(vm.root_level).size) for page in pages_of(vm, gfn)]
    return any(vm.memory.words[first + number] for first, count in ranges for number in range(count))


class Reached:
    """The tables that the guest's root leads to at this moment, with the first address that each of them maps."""

    def __init__(self, vm: Machine) -> None:
        self.vm, self.tree, self.form = vm, guest_tree(vm), guest_format(vm.root_level)
        self.first = dict.fromkeys(list(self.tree)[:1], 0)
        for key, branch in self.tree.items():  # breadth first, so that what leads to a table comes before it
            for index, to in branch.links:
                if self.tree[to].level == branch.level - 1:  # a table can also be reached on another level
                    self.first.setdefault(to, self.first[key] | self._bits(index, branch.level))

    def _bits(self, index: int, level: int) -> int:
        return index << PAGE_SHIFT + self.form.index_bits * (level - 1)

    def present(self, gfn: int) -> list[int]:
        """Indices of the entries of a table that are present, those in the shadow first."""
        found = [index for index in range(1 << self.form.index_bits) if guest_entry(self.vm, gfn, index) & PRESENT]
        return sorted(found, key=lambda index: not in_shadow(self.vm, gfn, index))

    def through(self, gfn: int, index: int | None = None, half: int | None = None) -> int | None:
        """An address with an entry of this table on its path (any, if no ``index`` is given), and a page at its end.

        ``half``: in which half of the 4 MB of a directory entry. None where there is no such address.
        """
        key = f"g:{gfn:x}"
        if key not in self.first:
            return None
        indices = self.present(gfn) if index is None else [index]
        gva = self._down(gfn, self.tree[key].level, self.first[key], indices, half)
        return gva if gva is None or self.vm.root_level != ROOT_64 else canonical(gva)

    def to(self, gfn: int, index: int = 0) -> int | None:
        """The first address with this entry on its path, wherever it leads from there; None for a table out of reach."""
        key = f"g:{gfn:x}"
        if key not in self.first:
            return None
        gva = self.first[key] | self._bits(index, self.tree[key].level)
        return canonical(gva) if self.vm.root_level == ROOT_64 else gva

    def _down(self, gfn: int, level: int, base: int, indices: list[int], half: int | None = None) -> int | None:
        for index in indices:
            entry, gva = guest_entry(self.vm, gfn, index), base | self._bits(index, level)
            below = (entry & self.form.base) >> PAGE_SHIFT
            if not entry & PRESENT:
                continue
            if level == 1 or maps_large(self.vm, level, entry):
                return gva | HALF * (half or 0)
            if self.vm.memory.frames[below] is not None:
                wanted = [at for at in self.present(below) if half is None or at >> 9 == half]
                found = self._down(below, level - 1, gva, wanted)
                if found is not None:
                    return found
        return None

    def behind(self, page: ShadowPage, index: int) -> int | None:
        """An address whose path in the shadow has this entry, if one has."""
        made = made_from(self.vm, page, index)
        narrow = page.glevels == ROOT_32 and page.level == 2
        return None if made is None else self.through(*made, index & 1 if narrow else None)

    def ends(self, gfn: int) -> list[int]:
        """Addresses through the first and the last entry of a table that is in the shadow, or present, or there at all."""
        present = self.present(gfn)
        used = [index for index in present if in_shadow(self.vm, gfn, index)] or present
        found = [self.through(gfn, index) for index in (*used[:1], *used[-1:])]
        ends = dict.fromkeys(gva for gva in found if gva is not None)
        first = self.to(gfn)
        return list(ends) or ([] if first is None else [first])
