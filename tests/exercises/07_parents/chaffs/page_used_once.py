# SPDX-License-Identifier: GPL-2.0-only
"""A page whose last parent has gone never gets another one."""

# breaks: again


class Parents:
    def __init__(self, vm):
        self.found, self.dead = {}, set()

    def add(self, page, spte):
        if page.id not in self.dead:
            self.found.setdefault(page.id, []).append(spte)

    def remove(self, page, spte):
        self.found[page.id].remove(spte)
        if not self.found[page.id]:
            self.dead.add(page.id)

    def first(self, page):
        return next(iter(self.found.get(page.id, ())), None)

    def sptes(self, page):
        return list(self.found.get(page.id, ()))
