# SPDX-License-Identifier: GPL-2.0-only
"""`remove` takes any entry that is a parent of some page for a parent of this one."""

# breaks: stranger


class Parents:
    def __init__(self, vm):
        self.child_of = {}

    def add(self, page, spte):
        self.child_of[spte] = page

    def remove(self, page, spte):
        del self.child_of[spte]

    def first(self, page):
        return next(iter(self.sptes(page)), None)

    def sptes(self, page):
        return [spte for spte, child in self.child_of.items() if child is page]
