# SPDX-License-Identifier: GPL-2.0-only
"""A dict of sets by the page's id; `first` is the highest parent."""


class Parents:
    def __init__(self, vm):
        self.found = {}

    def add(self, page, spte):
        self.found.setdefault(page.id, set()).add(spte)

    def remove(self, page, spte):
        self.found[page.id].remove(spte)
        if not self.found[page.id]:
            del self.found[page.id]

    def first(self, page):
        return max(self.found.get(page.id, ()), default=None)

    def sptes(self, page):
        return self.found.get(page.id, set())
