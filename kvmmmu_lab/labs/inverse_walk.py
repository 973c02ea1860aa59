# SPDX-License-Identifier: GPL-2.0-only
"""`InverseWalk`: page walks in reverse, from an entry of a guest table to the addresses whose walks use it."""

from __future__ import annotations

from ..inspect.keys import guest_table
from ..inspect.paths import guest_entry, guest_tree, made_from, maps_large
from ..mmu.bits import PAGE_SHIFT, PRESENT, ROOT_32, ROOT_64, canonical, guest_format
from ..mmu.machine import Machine
from ..mmu.pool import ShadowPage
from ..mmu.prewrite import shadow_pages, shadow_range

HALF = 1 << 21
"""The number of bytes that a link in the shadow maps. A 4-byte directory entry maps twice as much, so it has two links."""


def in_shadow(vm: Machine, gfn: int, index: int) -> bool:
    """Return whether a shadow entry was made from this entry of a guest table."""
    ranges = [shadow_range(page, index * guest_format(vm.root_level).size) for page in shadow_pages(vm, gfn)]
    return any(vm.memory.words[first + number] for first, count in ranges for number in range(count))


class InverseWalk:
    """The guest tables that were reachable from the root when this was created, and the lowest address that each maps."""

    def __init__(self, vm: Machine) -> None:
        self.vm, self.tree, self.form = vm, guest_tree(vm), guest_format(vm.root_level)
        self.lowest = dict.fromkeys(list(self.tree)[:1], 0)
        for key, branch in self.tree.items():  # breadth first, so a table comes after the table that leads to it
            for index, to in branch.links:
                if self.tree[to].level == branch.level - 1:  # skip a table that is in the tree at another level
                    self.lowest.setdefault(to, self.lowest[key] | self._bits(index, branch.level))

    def _bits(self, index: int, level: int) -> int:
        """Return the address bits that select an index at a level."""
        return index << PAGE_SHIFT + self.form.index_bits * (level - 1)

    def _canonical(self, gva: int) -> int:
        return canonical(gva) if self.vm.root_level == ROOT_64 else gva

    def present(self, gfn: int) -> list[int]:
        """Return the indices of a table's present entries: first those that are in the shadow, then the others."""
        found = [index for index in range(1 << self.form.index_bits) if guest_entry(self.vm, gfn, index) & PRESENT]
        return sorted(found, key=lambda index: not in_shadow(self.vm, gfn, index))

    def gva_through(self, gfn: int, index: int | None = None, half: int | None = None) -> int | None:
        """Return an address whose walk uses entry ``index`` of a table and ends at a page. Return None if there is none.

        ``index``: None means any entry.
        ``half``: 0 for an address in the lower half of the 4 MB that a directory entry maps, 1 for the upper half.
        """
        key = guest_table(gfn)
        if key not in self.lowest:
            return None
        indices = self.present(gfn) if index is None else [index]
        gva = self._descend(gfn, self.tree[key].level, self.lowest[key], indices, half)
        return None if gva is None else self._canonical(gva)

    def lowest_gva(self, gfn: int, index: int = 0) -> int | None:
        """Return the lowest address whose walk uses this entry, present or not; None if no walk uses the table."""
        key = guest_table(gfn)
        if key not in self.lowest:
            return None
        return self._canonical(self.lowest[key] | self._bits(index, self.tree[key].level))

    def gva_of_shadow(self, page: ShadowPage, index: int) -> int | None:
        """Return an address whose walk of the shadow uses this entry of a shadow page. Return None if there is none."""
        guest = made_from(self.vm, page, index)
        two_links = page.glevels == ROOT_32 and page.level == 2
        return None if guest is None else self.gva_through(*guest, index & 1 if two_links else None)

    def first_and_last(self, gfn: int) -> list[int]:
        """Return an address that uses the first entry of a table that is in the shadow, and one that uses the last.

        If no entry is in the shadow, choose from the present ones. If none is present, return the table's lowest address.
        """
        present = self.present(gfn)
        used = [index for index in present if in_shadow(self.vm, gfn, index)] or present
        found = [self.gva_through(gfn, index) for index in (*used[:1], *used[-1:])]
        gvas = dict.fromkeys(gva for gva in found if gva is not None)
        lowest = self.lowest_gva(gfn)
        return list(gvas) or ([] if lowest is None else [lowest])

    def _descend(self, gfn: int, level: int, base: int, indices: list[int], half: int | None = None) -> int | None:
        """Return an address that uses the first of ``indices`` that leads to a page. ``base``: its higher address bits."""
        for index in indices:
            entry, gva = guest_entry(self.vm, gfn, index), base | self._bits(index, level)
            below = (entry & self.form.base) >> PAGE_SHIFT
            if not entry & PRESENT:
                continue
            if level == 1 or maps_large(self.vm, level, entry):
                return gva | HALF * (half or 0)
            if self.vm.memory.frames[below] is not None:
                wanted = [at for at in self.present(below) if half is None or at >> 9 == half]
                found = self._descend(below, level - 1, gva, wanted)
                if found is not None:
                    return found
        return None
