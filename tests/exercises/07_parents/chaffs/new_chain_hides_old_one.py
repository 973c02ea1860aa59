# SPDX-License-Identifier: GPL-2.0-only
"""A new chain is put in front, but the old chain isn't hooked behind it."""

# breaks: sixth


class Parents:
    def __init__(self, vm):
        self.found = {}

    def add(self, page, spte):
        chain = self.found.get(page.id, [])
        self.found[page.id] = [*chain, spte] if len(chain) < 5 else [spte]

    def remove(self, page, spte):
        self.found[page.id].remove(spte)

    def first(self, page):
        return next(iter(self.found.get(page.id, ())), None)

    def sptes(self, page):
        return list(self.found.get(page.id, ()))
