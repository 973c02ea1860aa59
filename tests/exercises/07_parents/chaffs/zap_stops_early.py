# SPDX-License-Identifier: GPL-2.0-only
"""`first` gives up after two answers for a page, so that zapping ends."""

# breaks: again


class Parents:
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
