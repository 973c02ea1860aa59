# SPDX-License-Identifier: GPL-2.0-only
"""When chains begin, the parent that was kept directly isn't moved into the first chain."""

# breaks: second


class Parents:
    def __init__(self, vm):
        self.kept = {}

    def add(self, page, spte):
        kept = self.kept.get(page.id)
        if kept is None:
            self.kept[page.id] = spte
        elif isinstance(kept, int):
            self.kept[page.id] = [[spte]]
        else:
            if len(kept[0]) == 5:
                kept.insert(0, [])
            kept[0].append(spte)

    def remove(self, page, spte):
        kept = self.kept[page.id]
        if isinstance(kept, int):
            if kept != spte:
                raise ValueError(spte)
            del self.kept[page.id]
            return
        chain = next(chain for chain in kept if spte in chain)
        chain.remove(spte)
        self.kept[page.id] = [chain for chain in kept if chain] or None

    def first(self, page):
        kept = self.kept.get(page.id)
        return kept[0][0] if isinstance(kept, list) else kept

    def sptes(self, page):
        kept = self.kept.get(page.id)
        return [] if kept is None else [kept] if isinstance(kept, int) else sum(kept, [])
