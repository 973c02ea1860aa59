# SPDX-License-Identifier: GPL-2.0-only
"""`first` answers 0 where there is no parent, and zapping would go on for ever."""

# breaks: one


class Parents:
    def __init__(self, vm):
        self.found = {}

    def add(self, page, spte):
        self.found.setdefault(page.id, []).append(spte)

    def remove(self, page, spte):
        self.found[page.id].remove(spte)

    def first(self, page):
        return next(iter(self.found.get(page.id, ())), 0)

    def sptes(self, page):
        return list(self.found.get(page.id, ()))
