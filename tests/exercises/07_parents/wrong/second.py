# SPDX-License-Identifier: GPL-2.0-only


class first_of_one_only(lists.Parents):
    """`first` finds only a parent that is kept directly, and answers None if there are more."""

    def first(self, page):
        row = self.sptes(page)
        return row[0] if len(row) == 1 else None


class first_two_only_one_kept(chains.Parents):
    """When chains begin, the parent that was kept directly is not moved into the first chain."""

    def add(self, page, spte):
        kept = self.kept.get(page.id)
        if kept is None:
            self.kept[page.id] = spte
            return
        if isinstance(kept, int):
            self.cache.take()
            kept = self.kept[page.id] = [[]]
        for chain in kept:
            if len(chain) < SIZE:
                chain.append(spte)
                return
        self.cache.take()
        kept.insert(0, [spte])


class old_one_lost(lists.Parents):
    """The second parent takes the place of the first one."""

    def add(self, page, spte):
        self.lists[self.key(page)] = [spte]


class one_entry_a_page_above(lists.Parents):
    """One parent is kept for each page above, as if a page had only one entry."""

    def add(self, page, spte):
        self.lists.setdefault(self.key(page), {})[spte >> 9] = spte

    def remove(self, page, spte):
        del self.lists[self.key(page)][spte >> 9]

    def first(self, page):
        return next(iter(self.sptes(page)), None)

    def sptes(self, page):
        return list(self.lists.get(self.key(page), {}).values())
