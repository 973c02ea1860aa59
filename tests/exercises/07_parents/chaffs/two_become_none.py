# SPDX-License-Identifier: GPL-2.0-only
"""When one of two parents goes, both are gone."""

# breaks: remove


class Parents:
    def __init__(self, vm):
        self.found = {}

    def add(self, page, spte):
        self.found.setdefault(page.id, []).append(spte)

    def remove(self, page, spte):
        chain = self.found[page.id]
        chain.remove(spte)
        if len(chain) == 1:
            chain.clear()

    def first(self, page):
        return next(iter(self.found.get(page.id, ())), None)

    def sptes(self, page):
        return list(self.found.get(page.id, ()))
