# SPDX-License-Identifier: GPL-2.0-only
"""All pages share one list."""

# breaks: apart


class Parents:
    def __init__(self, vm):
        self.found = {}

    def add(self, page, spte):
        self.found.setdefault(None, []).append(spte)

    def remove(self, page, spte):
        self.found[None].remove(spte)

    def first(self, page):
        return next(iter(self.found.get(None, ())), None)

    def sptes(self, page):
        return list(self.found.get(None, ()))
