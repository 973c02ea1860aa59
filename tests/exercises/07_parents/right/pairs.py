# SPDX-License-Identifier: GPL-2.0-only
"""One list of (page, spte) for the whole machine."""


class Parents:
    def __init__(self, vm):
        self.pairs = []

    def add(self, page, spte):
        self.pairs.append((page, spte))

    def remove(self, page, spte):
        self.pairs.remove((page, spte))

    def first(self, page):
        return next(iter(self.sptes(page)), None)

    def sptes(self, page):
        return [spte for other, spte in self.pairs if other is page]
