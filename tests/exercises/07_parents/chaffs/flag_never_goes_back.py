# SPDX-License-Identifier: GPL-2.0-only
"""A page that once had many parents is treated so when it has none, and `first` fails."""

# breaks: remove


class Parents:
    def __init__(self, vm):
        self.found, self.many = {}, set()

    def add(self, page, spte):
        chain = self.found.setdefault(page.id, [])
        chain.append(spte)
        if len(chain) > 1:
            self.many.add(page.id)

    def remove(self, page, spte):
        self.found[page.id].remove(spte)

    def first(self, page):
        chain = self.found.get(page.id, [])
        if page.id in self.many:
            return chain[0]
        return chain[0] if chain else None

    def sptes(self, page):
        return self.found.get(page.id, [])
