# SPDX-License-Identifier: GPL-2.0-only
"""A chain that has become empty stays, so `first` finds nothing in it."""

# breaks: remove


class Parents:
    def __init__(self, vm):
        self.chains = {}

    def add(self, page, spte):
        chains = self.chains.setdefault(page.id, [])
        for chain in chains:
            if len(chain) < 5:
                chain.append(spte)
                return
        chains.insert(0, [spte])

    def remove(self, page, spte):
        for chain in self.chains[page.id]:
            if spte in chain:
                chain.remove(spte)
                return
        raise LookupError(f"no parent {spte:#x}")

    def first(self, page):
        chains = self.chains.get(page.id)
        return next(iter(chains[0]), None) if chains else None

    def sptes(self, page):
        return sum(self.chains.get(page.id, []), [])
