# SPDX-License-Identifier: GPL-2.0-only


class chain_freed_with_others(by_id.Parents):
    """A chain is thrown away when the entry at its beginning goes, whatever else is in it."""

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
                if chain[0] == spte:
                    chains.remove(chain)
                else:
                    chain.remove(spte)
                return
        raise LookupError(f"no parent {spte:#x}")

    def first(self, page):
        chains = self.chains.get(page.id)
        return chains[0][0] if chains else None

    def sptes(self, page):
        return sum(self.chains.get(page.id, []), [])


class empty_chain_left(by_id.Parents):
    """A chain that has become empty stays, so `first` finds nothing in it."""

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


class first_remembered(by_id.Parents):
    """`first` remembers its answer, and gives it also after that parent has gone."""

    def __init__(self, vm):
        self.found, self.answer = {}, {}

    def add(self, page, spte):
        self.found.setdefault(page.id, []).append(spte)

    def remove(self, page, spte):
        self.found[page.id].remove(spte)

    def first(self, page):
        chain = self.found.get(page.id)
        if not chain:
            return None
        return self.answer.setdefault(page.id, chain[0])

    def sptes(self, page):
        return list(self.found.get(page.id, ()))


class flag_never_goes_back(by_id.Parents):
    """A page that once had many parents is treated so when it has none, and `first` fails."""

    def __init__(self, vm):
        self.found, self.many = {}, set()

    def add(self, page, spte):
        chain = self.found.setdefault(page.id, [])
        chain.append(spte)
        if len(chain) > 1:
            self.many.add(page.id)

    def remove(self, page, spte):
        self.found[page.id].remove(spte)

    def first(self, page):
        chain = self.found.get(page.id, [])
        if page.id in self.many:
            return chain[0]
        return chain[0] if chain else None

    def sptes(self, page):
        return self.found.get(page.id, [])


class hole(by_id.Parents):
    """A removed parent leaves a hole, at which going through the chain stops."""

    def add(self, page, spte):
        self.found.setdefault(page.id, []).append(spte)

    def remove(self, page, spte):
        chain = self.found[page.id]
        chain[chain.index(spte)] = None

    def first(self, page):
        return next(iter(self.found.get(page.id, ())), None)

    def sptes(self, page):
        chain = self.found.get(page.id, [])
        return chain[: chain.index(None)] if None in chain else chain


class hole_in_front(by_id.Parents):
    """`first` looks at the first place only, which a removed parent leaves empty."""

    def add(self, page, spte):
        self.found.setdefault(page.id, []).append(spte)

    def remove(self, page, spte):
        chain = self.found[page.id]
        chain[chain.index(spte)] = None

    def first(self, page):
        return next(iter(self.found.get(page.id, ())), None)

    def sptes(self, page):
        return [spte for spte in self.found.get(page.id, ()) if spte is not None]


class hole_shown(by_id.Parents):
    """A removed parent leaves None among the parents."""

    def add(self, page, spte):
        self.found.setdefault(page.id, []).append(spte)

    def remove(self, page, spte):
        chain = self.found[page.id]
        chain[chain.index(spte)] = None

    def first(self, page):
        return next(iter(self.found.get(page.id, ())), None)

    def sptes(self, page):
        return list(self.found.get(page.id, ()))


class last_fills_hole_twice(by_id.Parents):
    """The last parent is copied into the hole, and stays at its old place as well if it is alone there."""

    def add(self, page, spte):
        self.found.setdefault(page.id, []).append(spte)

    def remove(self, page, spte):
        chain = self.found[page.id]
        at = chain.index(spte)
        chain[at] = chain[-1]
        if at < len(chain) - 1:
            chain.pop()

    def first(self, page):
        return next(iter(self.found.get(page.id, ())), None)

    def sptes(self, page):
        return list(self.found.get(page.id, ()))


class newest_chain_searched_only(by_id.Parents):
    """`remove` looks for the entry in the newest chain only."""

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


class only_the_last_one_goes(by_id.Parents):
    """`remove` takes the last parent, whichever it should be."""

    def add(self, page, spte):
        self.found.setdefault(page.id, []).append(spte)

    def remove(self, page, spte):
        if spte not in self.found.get(page.id, ()):
            raise LookupError(spte)
        self.found[page.id].pop()

    def first(self, page):
        return next(iter(self.found.get(page.id, ())), None)

    def sptes(self, page):
        return list(self.found.get(page.id, ()))


class removed_for_ever(by_id.Parents):
    """An entry that was removed once isn't taken again."""

    def __init__(self, vm):
        self.found, self.gone = {}, set()

    def add(self, page, spte):
        if spte not in self.gone:
            self.found.setdefault(page.id, []).append(spte)

    def remove(self, page, spte):
        self.found[page.id].remove(spte)
        self.gone.add(spte)

    def first(self, page):
        return next(iter(self.found.get(page.id, ())), None)

    def sptes(self, page):
        return self.found.get(page.id, [])


class two_become_none(by_id.Parents):
    """When one of two parents goes, both are gone."""

    def add(self, page, spte):
        self.found.setdefault(page.id, []).append(spte)

    def remove(self, page, spte):
        chain = self.found[page.id]
        chain.remove(spte)
        if len(chain) == 1:
            chain.clear()

    def first(self, page):
        return next(iter(self.found.get(page.id, ())), None)

    def sptes(self, page):
        return list(self.found.get(page.id, ()))


class wrong_chain_dropped(by_id.Parents):
    """When a chain becomes empty, the newest one is dropped instead of it."""

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
                    del chains[0]
                return
        raise LookupError(f"no parent {spte:#x}")

    def first(self, page):
        chains = self.chains.get(page.id)
        return chains[0][0] if chains else None

    def sptes(self, page):
        return sum(self.chains.get(page.id, []), [])
