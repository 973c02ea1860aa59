# SPDX-License-Identifier: GPL-2.0-only
"""`first` knows only a parent that is kept directly, so it says None where there are more."""

# breaks: second


class Parents:
    def __init__(self, vm):
        self.found = {}

    def add(self, page, spte):
        self.found.setdefault(page.id, []).append(spte)

    def remove(self, page, spte):
        self.found[page.id].remove(spte)

    def first(self, page):
        chain = self.found.get(page.id, [])
        return chain[0] if len(chain) == 1 else None

    def sptes(self, page):
        return list(self.found.get(page.id, ()))
