# SPDX-License-Identifier: GPL-2.0-only
"""`first` remembers its answer, and gives it also after that parent has gone."""

# breaks: remove


class Parents:
    def __init__(self, vm):
        self.found, self.answer = {}, {}

    def add(self, page, spte):
        self.found.setdefault(page.id, []).append(spte)

    def remove(self, page, spte):
        self.found[page.id].remove(spte)

    def first(self, page):
        chain = self.found.get(page.id)
        if not chain:
            return None
        return self.answer.setdefault(page.id, chain[0])

    def sptes(self, page):
        return list(self.found.get(page.id, ()))
