# SPDX-License-Identifier: GPL-2.0-only
"""`remove` takes the last parent, whichever it should be."""

# breaks: remove


class Parents:
    def __init__(self, vm):
        self.found = {}

    def add(self, page, spte):
        self.found.setdefault(page.id, []).append(spte)

    def remove(self, page, spte):
        if spte not in self.found.get(page.id, ()):
            raise LookupError(spte)
        self.found[page.id].pop()

    def first(self, page):
        return next(iter(self.found.get(page.id, ())), None)

    def sptes(self, page):
        return list(self.found.get(page.id, ()))
