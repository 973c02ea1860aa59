# SPDX-License-Identifier: GPL-2.0-only
"""The sixth parent overwrites the fifth."""

# breaks: sixth


class Parents:
    def __init__(self, vm):
        self.found = {}

    def add(self, page, spte):
        chain = self.found.setdefault(page.id, [])
        chain[4:] = []
        chain.append(spte)

    def remove(self, page, spte):
        self.found[page.id].remove(spte)

    def first(self, page):
        return next(iter(self.found.get(page.id, ())), None)

    def sptes(self, page):
        return list(self.found.get(page.id, ()))
