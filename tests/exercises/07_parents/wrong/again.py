# SPDX-License-Identifier: GPL-2.0-only


class page_used_once(by_id.Parents):
    """A page whose last parent has gone never gets another one."""

    def __init__(self, vm):
        self.found, self.dead = {}, set()

    def add(self, page, spte):
        if page.id not in self.dead:
            self.found.setdefault(page.id, []).append(spte)

    def remove(self, page, spte):
        self.found[page.id].remove(spte)
        if not self.found[page.id]:
            self.dead.add(page.id)

    def first(self, page):
        return next(iter(self.found.get(page.id, ())), None)

    def sptes(self, page):
        return list(self.found.get(page.id, ()))


class zap_stops_early(by_id.Parents):
    """`first` gives up after two answers for a page, so that zapping ends."""

    def __init__(self, vm):
        self.found, self.taken = {}, {}

    def add(self, page, spte):
        self.found.setdefault(page.id, []).append(spte)

    def remove(self, page, spte):
        self.found[page.id].remove(spte)
        if page.level == 1 and page.glevels == 4:
            self.taken[page.id] = self.taken.get(page.id, 0) + 1

    def first(self, page):
        chain = self.found.get(page.id)
        return chain[0] if chain and self.taken.get(page.id, 0) < 2 else None

    def sptes(self, page):
        return list(self.found.get(page.id, ()))
