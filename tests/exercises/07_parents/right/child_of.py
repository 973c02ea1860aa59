# SPDX-License-Identifier: GPL-2.0-only
"""A dict from each entry to the page that it points to."""


class Parents:
    def __init__(self, vm):
        self.child_of = {}

    def add(self, page, spte):
        self.child_of[spte] = page.id

    def remove(self, page, spte):
        if self.child_of.get(spte) != page.id:
            raise ValueError("no parent of this page")
        del self.child_of[spte]

    def first(self, page):
        for spte, child in reversed(self.child_of.items()):
            if child == page.id:
                return spte
        return None

    def sptes(self, page):
        return (spte for spte, child in self.child_of.items() if child == page.id)
