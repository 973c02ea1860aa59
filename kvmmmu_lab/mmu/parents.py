# SPDX-License-Identifier: GPL-2.0-only
"""Parent chains: the entries that point to a shadow page (mmu.c:491-565).

A page has no parent (a root), one parent, which needs no chain, or a list of chains with room for five parents each, the
newest chain first. A page with chains is *multimapped* until its last chain is removed.
"""

from __future__ import annotations

from ..errors import HostCrash
from . import events as ev
from .machine import Machine
from .pool import ShadowPage
from .shadow import entry_name

CHAIN_ENTRIES = 5


class ParentChains:
    """The kernel's parent ptes, stored in ``page.parents``."""

    def __init__(self, vm: Machine) -> None:
        self.vm = vm

    def add(self, page: ShadowPage, spte: int) -> None:
        """Add spte, which points to page (mmu.c:491-526)."""
        vm, parents = self.vm, page.parents
        if parents is None:
            form, page.parents = "0->1", spte
        elif isinstance(parents, int):
            vm.caches.pte_chain.take()
            form, page.parents = "1->many", [[parents, spte]]
        else:
            form = "many->many"
            for chain in parents:
                if len(chain) < CHAIN_ENTRIES:
                    chain.append(spte)
                    break
            else:
                vm.caches.pte_chain.take()
                parents.insert(0, [spte])
        if vm.emit is not None:
            vm.emit((ev.PARENT_ADD, page.id, spte, form))

    def remove(self, page: ShadowPage, spte: int) -> None:
        """Remove a parent; the parents after it in its chain move up (mmu.c:528-565).

        Raises HostCrash (BUG) if page has no such parent.
        """
        vm, parents = self.vm, page.parents
        if not isinstance(parents, list):
            if parents != spte:
                raise HostCrash("BUG", "mmu_page_remove_parent_pte", "mmu.c:537", f"{page} has no parent {entry_name(spte)}")
            page.parents = None
        else:
            for chain in parents:
                if spte in chain:
                    break
            else:
                raise HostCrash("BUG", "mmu_page_remove_parent_pte", "mmu.c:564", f"no chain of {page} has {entry_name(spte)}")
            chain.remove(spte)
            if not chain:
                parents[:] = [other for other in parents if other is not chain]
                vm.caches.pte_chain.give()
            if not parents:
                page.parents = None
        if vm.emit is not None:
            vm.emit((ev.PARENT_REMOVE, page.id, spte, "many->many" if isinstance(parents, list) else "1->0"))

    def first(self, page: ShadowPage) -> int | None:
        """The parent that zapping removes next (mmu.c:676-685)."""
        parents = page.parents
        return parents[0][0] if isinstance(parents, list) else parents

    def sptes(self, page: ShadowPage) -> list[int]:
        """All parents of page, one chain after another."""
        parents = page.parents
        if parents is None:
            return []
        return [spte for chain in parents for spte in chain] if isinstance(parents, list) else [parents]
