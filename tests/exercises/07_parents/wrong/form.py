# SPDX-License-Identifier: GPL-2.0-only


class front_chain_only(chains.Parents):
    """It looks for room in the front chain only."""

    def add(self, page, spte):
        kept = self.kept.get(page.id)
        if kept is None:
            self.kept[page.id] = spte
            return
        if isinstance(kept, int):
            self.cache.take()
            kept = self.kept[page.id] = [[kept]]
        for chain in kept[:1]:
            if len(chain) < SIZE:
                chain.append(spte)
                return
        self.cache.take()
        kept.insert(0, [spte])
