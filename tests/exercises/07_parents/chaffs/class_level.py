# SPDX-License-Identifier: GPL-2.0-only
"""The dictionary belongs to the class: all machines share it."""

# breaks: one


class Parents:
    found = {}  # noqa: RUF012

    def __init__(self, vm):
        pass

    def add(self, page, spte):
        self.found.setdefault(page.id, []).append(spte)

    def remove(self, page, spte):
        self.found[page.id].remove(spte)

    def first(self, page):
        return next(iter(self.found.get(page.id, ())), None)

    def sptes(self, page):
        return list(self.found.get(page.id, ()))
