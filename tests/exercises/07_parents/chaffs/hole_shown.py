# SPDX-License-Identifier: GPL-2.0-only
"""A removed parent leaves None among the parents."""

# breaks: remove


class Parents:
    def __init__(self, vm):
        self.found = {}

    def add(self, page, spte):
        self.found.setdefault(page.id, []).append(spte)

    def remove(self, page, spte):
        chain = self.found[page.id]
        chain[chain.index(spte)] = None

    def first(self, page):
        return next(iter(self.found.get(page.id, ())), None)

    def sptes(self, page):
        return list(self.found.get(page.id, ()))
