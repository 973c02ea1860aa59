# SPDX-License-Identifier: GPL-2.0-only
"""A page has an array of 64 places, which real guests never fill."""

# breaks: sixth


class Parents:
    def __init__(self, vm):
        self.found = {}

    def add(self, page, spte):
        places = self.found.setdefault(page.id, [])
        if len(places) < 64:
            places.append(spte)

    def remove(self, page, spte):
        self.found[page.id].remove(spte)

    def first(self, page):
        return next(iter(self.found.get(page.id, ())), None)

    def sptes(self, page):
        return list(self.found.get(page.id, ()))
