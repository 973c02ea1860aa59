# SPDX-License-Identifier: GPL-2.0-only
"""One parent is kept for each page above, as if a page had one entry."""

# breaks: second


class Parents:
    def __init__(self, vm):
        self.found = {}

    def add(self, page, spte):
        self.found.setdefault(page.id, {})[spte >> 9] = spte

    def remove(self, page, spte):
        del self.found[page.id][spte >> 9]

    def first(self, page):
        return next(iter(self.sptes(page)), None)

    def sptes(self, page):
        return list(self.found.get(page.id, {}).values())
