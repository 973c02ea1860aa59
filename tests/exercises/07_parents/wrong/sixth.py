# SPDX-License-Identifier: GPL-2.0-only


class new_chain_hides_old_one(lists.Parents):
    """A new chain is put in front, but the old one is not linked behind it."""

    def add(self, page, spte):
        row = self.sptes(page)
        self.lists[self.key(page)] = [*row, spte] if len(row) < 5 else [spte]


class sixth_lost(lists.Parents):
    """When the chain of five is full, another parent is lost."""

    def add(self, page, spte):
        row = self.lists.setdefault(self.key(page), [])
        if len(row) < 5:
            row.append(spte)


class sixth_replaces_fifth(lists.Parents):
    """The sixth parent overwrites the fifth."""

    def add(self, page, spte):
        row = self.lists.setdefault(self.key(page), [])
        row[4:] = []
        row.append(spte)


class sixty_four_at_most(lists.Parents):
    """A page has an array of 64 places, which real guests never fill."""

    def add(self, page, spte):
        row = self.lists.setdefault(self.key(page), [])
        if len(row) < 64:
            row.append(spte)


class sptes_first_chain_only(chains.Parents):
    """`sptes` goes through the newest chain only."""

    def sptes(self, page):
        kept = self.kept.get(page.id)
        if kept is None:
            return []
        return [kept] if isinstance(kept, int) else kept[0]


class two_chains_only(lists.Parents):
    """There is room for two chains, and the eleventh parent is lost."""

    def add(self, page, spte):
        row = self.lists.setdefault(self.key(page), [])
        if len(row) < 10:
            row.append(spte)


class three_hundred_at_most(lists.Parents):
    """It keeps at most 300 parents."""

    def add(self, page, spte):
        row = self.lists.setdefault(self.key(page), [])
        if len(row) < 300:
            row.append(spte)


class first_none_at_256(lists.Parents):
    """With 256 parents, `first` finds none, as if the count had 8 bits."""

    def first(self, page):
        row = self.lists.get(self.key(page), [])
        return row[0] if len(row) & 255 else None


class one_thousand_and_twenty_four_at_most(lists.Parents):
    """Parents after the 1024th are lost."""

    def add(self, page, spte):
        if len(self.sptes(page)) < 1024:
            self.lists.setdefault(page.id, []).append(spte)


class searched_by_recursion(lists.Parents):
    """`remove` calls itself for each parent in front, more often than Python allows."""

    def remove(self, page, spte):
        self.lists[page.id] = self.without(spte, self.lists[page.id], 0)

    def without(self, spte, row, at):
        if at == len(row):
            raise LookupError(spte)
        return row[:at] + row[at + 1 :] if row[at] == spte else self.without(spte, row, at + 1)
