# SPDX-License-Identifier: GPL-2.0-only
"""Removing an entry that is no parent goes unnoticed."""

# breaks: stranger


class Parents:
    def __init__(self, vm):
        self.found = {}

    def add(self, page, spte):
        self.found.setdefault(page.id, []).append(spte)

    def remove(self, page, spte):
        if spte in self.found.get(page.id, ()):
            self.found[page.id].remove(spte)

    def first(self, page):
        return next(iter(self.found.get(page.id, ())), None)

    def sptes(self, page):
        return list(self.found.get(page.id, ()))
