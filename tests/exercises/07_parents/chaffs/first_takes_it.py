# SPDX-License-Identifier: GPL-2.0-only
"""`first` takes the parent out, as zapping will do anyway."""

# breaks: one


class Parents:
    def __init__(self, vm):
        self.found = {}

    def add(self, page, spte):
        self.found.setdefault(page.id, []).append(spte)

    def remove(self, page, spte):
        self.found[page.id].remove(spte)

    def first(self, page):
        chain = self.found.get(page.id)
        return chain.pop(0) if chain else None

    def sptes(self, page):
        return list(self.found.get(page.id, ()))
