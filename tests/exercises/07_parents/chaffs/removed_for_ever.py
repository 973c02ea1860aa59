# SPDX-License-Identifier: GPL-2.0-only
"""An entry that was removed once isn't taken again."""

# breaks: remove


class Parents:
    def __init__(self, vm):
        self.found, self.gone = {}, set()

    def add(self, page, spte):
        if spte not in self.gone:
            self.found.setdefault(page.id, []).append(spte)

    def remove(self, page, spte):
        self.found[page.id].remove(spte)
        self.gone.add(spte)

    def first(self, page):
        return next(iter(self.found.get(page.id, ())), None)

    def sptes(self, page):
        return self.found.get(page.id, [])
