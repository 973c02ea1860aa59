# SPDX-License-Identifier: GPL-2.0-only
"""The second parent takes the place of the first one."""

# breaks: second


class Parents:
    def __init__(self, vm):
        self.found = {}

    def add(self, page, spte):
        self.found[page.id] = [spte]

    def remove(self, page, spte):
        self.found[page.id].remove(spte)

    def first(self, page):
        return next(iter(self.found.get(page.id, ())), None)

    def sptes(self, page):
        return list(self.found.get(page.id, ()))
