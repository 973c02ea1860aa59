# SPDX-License-Identifier: GPL-2.0-only
"""The last parent is copied into the hole, and stays at its old place as well if it is alone there."""

# breaks: remove


class Parents:
    def __init__(self, vm):
        self.found = {}

    def add(self, page, spte):
        self.found.setdefault(page.id, []).append(spte)

    def remove(self, page, spte):
        chain = self.found[page.id]
        at = chain.index(spte)
        chain[at] = chain[-1]
        if at < len(chain) - 1:
            chain.pop()

    def first(self, page):
        return next(iter(self.found.get(page.id, ())), None)

    def sptes(self, page):
        return list(self.found.get(page.id, ()))
