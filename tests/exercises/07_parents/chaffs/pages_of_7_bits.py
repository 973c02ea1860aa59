# SPDX-License-Identifier: GPL-2.0-only
"""Pages whose numbers differ by 128 share their parents."""

# breaks: apart


class Parents:
    def __init__(self, vm):
        self.vm = vm
        self.table = {}

    def key(self, page):
        return page.spte & 0xFFFF

    def add(self, page, spte):
        self.table.setdefault(self.key(page), set()).add(spte)

    def remove(self, page, spte):
        self.table[self.key(page)].remove(spte)

    def first(self, page):
        for spte in self.table.get(self.key(page), ()):
            return spte
        return None

    def sptes(self, page):
        return sorted(self.table.get(self.key(page), ()))
