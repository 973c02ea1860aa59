# SPDX-License-Identifier: GPL-2.0-only
"""Parents are kept by gfn, which several shadow pages can share."""

# breaks: apart


class Parents:
    def __init__(self, vm):
        self.found = {}

    def add(self, page, spte):
        self.found.setdefault(page.gfn, []).append(spte)

    def remove(self, page, spte):
        self.found[page.gfn].remove(spte)

    def first(self, page):
        return next(iter(self.found.get(page.gfn, ())), None)

    def sptes(self, page):
        return list(self.found.get(page.gfn, ()))
