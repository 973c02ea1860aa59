# SPDX-License-Identifier: GPL-2.0-only


class first_of_one_only(by_id.Parents):
    """`first` knows only a parent that is kept directly, so it says None where there are more."""

    def add(self, page, spte):
        self.found.setdefault(page.id, []).append(spte)

    def remove(self, page, spte):
        self.found[page.id].remove(spte)

    def first(self, page):
        chain = self.found.get(page.id, [])
        return chain[0] if len(chain) == 1 else None

    def sptes(self, page):
        return list(self.found.get(page.id, ()))


class first_two_only_one_kept(chains.Parents):
    """When chains begin, the parent that was kept directly isn't moved into the first chain."""

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

    def sptes(self, page):
        kept = self.kept.get(page.id)
        return [] if kept is None else [kept] if isinstance(kept, int) else sum(kept, [])


class old_one_lost(by_id.Parents):
    """The second parent takes the place of the first one."""

    def add(self, page, spte):
        self.found[page.id] = [spte]

    def remove(self, page, spte):
        self.found[page.id].remove(spte)

    def first(self, page):
        return next(iter(self.found.get(page.id, ())), None)

    def sptes(self, page):
        return list(self.found.get(page.id, ()))


class one_entry_a_page_above(by_id.Parents):
    """One parent is kept for each page above, as if a page had one entry."""

    def add(self, page, spte):
        self.found.setdefault(page.id, {})[spte >> 9] = spte

    def remove(self, page, spte):
        del self.found[page.id][spte >> 9]

    def first(self, page):
        return next(iter(self.sptes(page)), None)

    def sptes(self, page):
        return list(self.found.get(page.id, {}).values())
