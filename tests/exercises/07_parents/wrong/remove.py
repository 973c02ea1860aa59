# SPDX-License-Identifier: GPL-2.0-only


class chain_freed_with_others(chains.Parents):
    """A chain is thrown away when its first entry is removed, whatever else it contains."""

    def remove(self, page, spte):
        kept = self.kept[page.id]
        if isinstance(kept, int):
            if kept != spte:
                raise ValueError(f"{kept:#x} is the parent, not {spte:#x}")
            del self.kept[page.id]
            return
        at = next(at for at, chain in enumerate(kept) if spte in chain)
        if kept[at][0] != spte:
            kept[at].remove(spte)
        else:
            del kept[at]
            self.cache.give()
        if not kept:
            del self.kept[page.id]


class empty_chain_left(chains.Parents):
    """A chain that has become empty stays, and `first` finds nothing in it."""

    def remove(self, page, spte):
        kept = self.kept[page.id]
        if isinstance(kept, int):
            if kept != spte:
                raise ValueError(f"{kept:#x} is the parent, not {spte:#x}")
            del self.kept[page.id]
            return
        at = next(at for at, chain in enumerate(kept) if spte in chain)
        kept[at].remove(spte)

    def first(self, page):
        kept = self.kept.get(page.id)
        return next(iter(kept[0]), None) if isinstance(kept, list) else kept


class first_remembered(lists.Parents):
    """`first` remembers its answer, and gives it even after that parent is removed."""

    def __init__(self, vm):
        self.lists = {}
        self.answers = {}

    def first(self, page):
        row = self.lists.get(page.id)
        return self.answers.setdefault(page.id, row[0]) if row else None


class flag_never_goes_back(lists.Parents):
    """A page that once had several parents is treated so when it has none, and `first` fails."""

    def __init__(self, vm):
        self.lists = {}
        self.many = set()

    def add(self, page, spte):
        row = self.lists.setdefault(page.id, [])
        row.append(spte)
        if len(row) > 1:
            self.many.add(page.id)

    def first(self, page):
        row = self.lists.get(page.id, [])
        return row[0] if row or page.id in self.many else None


class hole(lists.Parents):
    """A removed parent leaves a hole, at which `sptes` stops."""

    def remove(self, page, spte):
        row = self.lists[self.key(page)]
        row[row.index(spte)] = None

    def sptes(self, page):
        row = self.lists.get(self.key(page), [])
        return row[: row.index(None)] if None in row else row


class hole_in_front(lists.Parents):
    """`first` looks only at the first place, which a removed parent leaves empty."""

    def remove(self, page, spte):
        row = self.lists[self.key(page)]
        row[row.index(spte)] = None

    def sptes(self, page):
        return [spte for spte in self.lists.get(self.key(page), ()) if spte is not None]


class hole_shown(lists.Parents):
    """A removed parent leaves None among the parents."""

    def remove(self, page, spte):
        row = self.lists[self.key(page)]
        row[row.index(spte)] = None


class last_fills_hole_twice(lists.Parents):
    """The last parent is copied into the hole, and stays if it is the removed one."""

    def remove(self, page, spte):
        row = self.lists[self.key(page)]
        at = row.index(spte)
        row[at] = row[-1]
        if at < len(row) - 1:
            row.pop()


class newest_chain_searched_only(chains.Parents):
    """`remove` looks for the entry only in the newest chain."""

    def remove(self, page, spte):
        kept = self.kept[page.id]
        if isinstance(kept, int):
            if kept != spte:
                raise ValueError(f"{kept:#x} is the parent, not {spte:#x}")
            del self.kept[page.id]
            return
        at = 0
        kept[at].remove(spte)
        if not kept[at]:
            del kept[at]
            self.cache.give()
        if not kept:
            del self.kept[page.id]


class only_the_last_one_goes(lists.Parents):
    """`remove` removes the last parent, whichever is named."""

    def remove(self, page, spte):
        if spte not in self.sptes(page):
            raise LookupError(spte)
        self.lists[self.key(page)].pop()


class removed_for_ever(lists.Parents):
    """An entry that was added once is not taken again."""

    def __init__(self, vm):
        self.lists = {}
        self.gone = set()

    def add(self, page, spte):
        if spte not in self.gone:
            self.lists.setdefault(self.key(page), []).append(spte)
        self.gone.add(spte)


class two_become_none(lists.Parents):
    """When one of two parents is removed, both are gone."""

    def remove(self, page, spte):
        row = self.lists[self.key(page)]
        row.remove(spte)
        if len(row) == 1:
            row.clear()


class wrong_chain_dropped(chains.Parents):
    """When a chain becomes empty, the newest one is dropped instead of it."""

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
            del kept[0]
            self.cache.give()
        if not kept:
            del self.kept[page.id]


class first_fifty_searched(lists.Parents):
    """Only the first 50 parents are searched; another one is replaced by the last."""

    def remove(self, page, spte):
        row = self.lists[self.key(page)]
        if spte in row[:50]:
            row.remove(spte)
        else:
            row.pop(row.index(spte) and -1)


class wrong_one_of_twelve(lists.Parents):
    """Of twelve parents, the last one is removed."""

    def remove(self, page, spte):
        row = self.lists[self.key(page)]
        row.remove(spte if len(row) != 12 else row[-1])


class kept_in_quadrants(lists.Parents):
    """The parents of a page that shadows another quadrant than the first are never removed."""

    def remove(self, page, spte):
        row = self.lists.get(self.key(page), [])
        if spte not in row or not page.quadrant:
            row.remove(spte)
