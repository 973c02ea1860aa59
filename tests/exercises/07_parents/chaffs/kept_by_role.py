# SPDX-License-Identifier: GPL-2.0-only
"""Parents are kept by gfn and role, which make a page in the hash, but not here."""

# breaks: apart


class Parents:
    def __init__(self, vm):
        self.found = {}

    def add(self, page, spte):
        self.found.setdefault((page.gfn, page.role), []).append(spte)

    def remove(self, page, spte):
        self.found[(page.gfn, page.role)].remove(spte)

    def first(self, page):
        return next(iter(self.found.get((page.gfn, page.role), ())), None)

    def sptes(self, page):
        return list(self.found.get((page.gfn, page.role), ()))
