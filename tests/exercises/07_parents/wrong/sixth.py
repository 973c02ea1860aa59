# SPDX-License-Identifier: GPL-2.0-only


class new_chain_hides_old_one(by_id.Parents):
    """A new chain is put in front, but the old chain isn't hooked behind it."""

    def add(self, page, spte):
        chain = self.found.get(page.id, [])
        self.found[page.id] = [*chain, spte] if len(chain) < 5 else [spte]

    def remove(self, page, spte):
        self.found[page.id].remove(spte)

    def first(self, page):
        return next(iter(self.found.get(page.id, ())), None)

    def sptes(self, page):
        return list(self.found.get(page.id, ()))


class sixth_lost(by_id.Parents):
    """When the chain of five is full, a further parent isn't kept."""

    def add(self, page, spte):
        chain = self.found.setdefault(page.id, [])
        if len(chain) < 5:
            chain.append(spte)

    def remove(self, page, spte):
        self.found[page.id].remove(spte)

    def first(self, page):
        return next(iter(self.found.get(page.id, ())), None)

    def sptes(self, page):
        return list(self.found.get(page.id, ()))


class sixth_replaces_fifth(by_id.Parents):
    """The sixth parent overwrites the fifth."""

    def add(self, page, spte):
        chain = self.found.setdefault(page.id, [])
        chain[4:] = []
        chain.append(spte)

    def remove(self, page, spte):
        self.found[page.id].remove(spte)

    def first(self, page):
        return next(iter(self.found.get(page.id, ())), None)

    def sptes(self, page):
        return list(self.found.get(page.id, ()))


class sixty_four_at_most(by_id.Parents):
    """A page has an array of 64 places, which real guests never fill."""

    def add(self, page, spte):
        places = self.found.setdefault(page.id, [])
        if len(places) < 64:
            places.append(spte)

    def remove(self, page, spte):
        self.found[page.id].remove(spte)

    def first(self, page):
        return next(iter(self.found.get(page.id, ())), None)

    def sptes(self, page):
        return list(self.found.get(page.id, ()))


class sptes_first_chain_only(by_id.Parents):
    """`sptes` goes through the newest chain only."""

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
        for chain in chains:
            if spte in chain:
                chain.remove(spte)
                if not chain:
                    chains.remove(chain)
                return
        raise LookupError(f"no parent {spte:#x}")

    def first(self, page):
        chains = self.chains.get(page.id)
        return chains[0][0] if chains else None

    def sptes(self, page):
        chains = self.chains.get(page.id)
        return chains[0] if chains else []


class two_chains_only(by_id.Parents):
    """There is room for two chains, so the eleventh parent is lost."""

    def add(self, page, spte):
        chain = self.found.setdefault(page.id, [])
        if len(chain) < 10:
            chain.append(spte)

    def remove(self, page, spte):
        self.found[page.id].remove(spte)

    def first(self, page):
        return next(iter(self.found.get(page.id, ())), None)

    def sptes(self, page):
        return list(self.found.get(page.id, ()))
