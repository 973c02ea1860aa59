# SPDX-License-Identifier: GPL-2.0-only
"""Parents are kept by 3 bits of the page's number: distant pages share a list."""

# breaks: apart


class Parents:
    def __init__(self, vm):
        self.found = {}

    def add(self, page, spte):
        self.found.setdefault(page.id >> 5, []).append(spte)

    def remove(self, page, spte):
        self.found[page.id >> 5].remove(spte)

    def first(self, page):
        return next(iter(self.found.get(page.id >> 5, ())), None)

    def sptes(self, page):
        return list(self.found.get(page.id >> 5, ()))
