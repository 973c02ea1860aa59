# SPDX-License-Identifier: GPL-2.0-only
"""A new machine throws the parents of all others away."""

# breaks: one


class Parents:
    def __init__(self, vm):
        self.vm = vm
        Parents.by_page = {}

    def add(self, page, spte):
        if page.id not in self.by_page:
            self.by_page[page.id] = []
        self.by_page[page.id].append(spte)

    def remove(self, page, spte):
        self.by_page.get(page.id, []).remove(spte)

    def first(self, page):
        found = self.by_page.get(page.id, [])
        return found[0] if found else None

    def sptes(self, page):
        return self.by_page.get(page.id, [])
