# SPDX-License-Identifier: GPL-2.0-only
"""A page with one parent loses it, whichever entry `remove` names."""

# breaks: stranger


class Parents:
    def __init__(self, vm):
        self.found = {}

    def add(self, page, spte):
        self.found.setdefault(page.id, []).append(spte)

    def remove(self, page, spte):
        chain = self.found[page.id]
        if len(chain) == 1:
            chain.clear()
        else:
            chain.remove(spte)

    def first(self, page):
        return next(iter(self.found.get(page.id, ())), None)

    def sptes(self, page):
        return list(self.found.get(page.id, ()))
