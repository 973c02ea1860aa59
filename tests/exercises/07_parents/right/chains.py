# SPDX-License-Identifier: GPL-2.0-only
"""As the kernel does it: one parent directly, more in chains of five, the newest chain first."""

SIZE = 5


class Parents:
    def __init__(self, vm):
        self.cache = vm.caches.pte_chain
        self.kept = {}

    def add(self, page, spte):
        kept = self.kept.get(page.id)
        if kept is None:
            self.kept[page.id] = spte
            return
        if isinstance(kept, int):
            self.cache.take()
            kept = self.kept[page.id] = [[kept]]
        for chain in kept:
            if len(chain) < SIZE:
                chain.append(spte)
                return
        self.cache.take()
        kept.insert(0, [spte])

    def remove(self, page, spte):
        kept = self.kept[page.id]
        if isinstance(kept, int):
            if kept != spte:
                raise ValueError(f"{kept:#x} is the parent, not {spte:#x}")
            del self.kept[page.id]
            return
        at = next(at for at, chain in enumerate(kept) if spte in chain)
        kept[at].remove(spte)
        if not kept[at]:
            del kept[at]
            self.cache.give()
        if not kept:
            del self.kept[page.id]

    def first(self, page):
        kept = self.kept.get(page.id)
        return kept[0][0] if isinstance(kept, list) else kept

    def sptes(self, page):
        kept = self.kept.get(page.id)
        if kept is None:
            return []
        return [kept] if isinstance(kept, int) else sum(kept, [])

    def chains(self, page):
        return self.kept.get(page.id)
