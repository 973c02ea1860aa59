# SPDX-License-Identifier: GPL-2.0-only


class page_used_once(lists.Parents):
    """A page whose last parent has gone never gets another one."""

    def __init__(self, vm):
        self.lists = {}
        self.dead = set()

    def add(self, page, spte):
        if page.id not in self.dead:
            self.lists.setdefault(page.id, []).append(spte)

    def remove(self, page, spte):
        self.lists[page.id].remove(spte)
        if not self.lists[page.id]:
            self.dead.add(page.id)


class zap_stops_early(lists.Parents):
    """`first` gives up after two answers for a page, so that zapping ends."""

    def __init__(self, vm):
        self.lists = {}
        self.taken = {}

    def remove(self, page, spte):
        self.lists[self.key(page)].remove(spte)
        if page.level == 1 and page.glevels == 4:
            self.taken[page.id] = self.taken.get(page.id, 0) + 1

    def first(self, page):
        return next(iter(self.sptes(page)), None) if self.taken.get(page.id, 0) < 2 else None
