# SPDX-License-Identifier: GPL-2.0-only
"""`remove` looks for the entry in the newest chain only."""

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
        chains = self.chains[page.id]
        chains[0].remove(spte)
        if not chains[0]:
            del chains[0]

    def first(self, page):
        chains = self.chains.get(page.id)
        return chains[0][0] if chains else None

    def sptes(self, page):
        return sum(self.chains.get(page.id, []), [])
