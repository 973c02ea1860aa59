# SPDX-License-Identifier: GPL-2.0-only
"""Of an entry only its index is compared, so two pages above are taken for one."""

# breaks: apart


class Parents:
    def __init__(self, vm):
        self.found = {}

    def add(self, page, spte):
        self.found.setdefault(page.id, {}).setdefault(spte & 511, spte)

    def remove(self, page, spte):
        del self.found[page.id][spte & 511]

    def first(self, page):
        return next(iter(self.sptes(page)), None)

    def sptes(self, page):
        return list(self.found.get(page.id, {}).values())
