# SPDX-License-Identifier: GPL-2.0-only
"""`sptes` answers None for a page that never had a parent."""

# breaks: one


class Parents:
    def __init__(self, vm):
        self.found = {}

    def add(self, page, spte):
        self.found.setdefault(page.id, []).append(spte)

    def remove(self, page, spte):
        self.found[page.id].remove(spte)

    def first(self, page):
        return next(iter(self.found.get(page.id, ())), None)

    def sptes(self, page):
        return self.found.get(page.id)
