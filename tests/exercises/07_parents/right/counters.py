# SPDX-License-Identifier: GPL-2.0-only
"""A counter of entries for each page, by its first spte; an entry whose count is 0 is dropped."""

from collections import Counter, defaultdict


class Parents:
    def __init__(self, vm):
        self.counts = defaultdict(Counter)

    def add(self, page, spte):
        self.counts[page.spte][spte] += 1

    def remove(self, page, spte):
        counts = self.counts[page.spte]
        if counts[spte] < 1:
            raise LookupError(f"{page} has no parent {spte:#x}")
        counts[spte] -= 1
        counts += Counter()

    def first(self, page):
        return next(iter(self.sptes(page)), None)

    def sptes(self, page):
        return sorted(self.counts[page.spte].elements())
