# SPDX-License-Identifier: GPL-2.0-only
"""A stranger is refused, but a parent has gone by then."""

# breaks: stranger


class Parents:
    def __init__(self, vm):
        self.vm = vm
        self.by_page = {}

    def add(self, page, spte):
        if page.id not in self.by_page:
            self.by_page[page.id] = []
        self.by_page[page.id].append(spte)

    def remove(self, page, spte):
        held = self.by_page[page.id]
        last = held.pop()
        if last != spte:
            held[held.index(spte)] = last

    def first(self, page):
        found = self.by_page.get(page.id, [])
        return found[0] if found else None

    def sptes(self, page):
        return self.by_page.get(page.id, [])
