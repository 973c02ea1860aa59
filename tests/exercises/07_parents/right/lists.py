# SPDX-License-Identifier: GPL-2.0-only
"""A dict of lists by the page's id; `first` is the oldest parent."""


class Parents:
    def __init__(self, vm):
        self.lists = {}

    def key(self, page):
        return page.id

    def add(self, page, spte):
        self.lists.setdefault(self.key(page), []).append(spte)

    def remove(self, page, spte):
        self.lists[self.key(page)].remove(spte)

    def first(self, page):
        return next(iter(self.lists.get(self.key(page), ())), None)

    def sptes(self, page):
        return list(self.lists.get(self.key(page), ()))
