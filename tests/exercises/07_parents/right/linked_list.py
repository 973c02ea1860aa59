# SPDX-License-Identifier: GPL-2.0-only
"""A linked list that hangs from the page itself."""


class Node:
    def __init__(self, spte, after):
        self.spte, self.after = spte, after


class Parents:
    def __init__(self, vm):
        pass

    def add(self, page, spte):
        page.parents = Node(spte, page.parents)

    def remove(self, page, spte):
        before, node = None, page.parents
        while node.spte != spte:
            before, node = node, node.after
        if before is None:
            page.parents = node.after
        else:
            before.after = node.after

    def first(self, page):
        return page.parents.spte if page.parents else None

    def sptes(self, page):
        found, node = [], page.parents
        while node:
            found.append(node.spte)
            node = node.after
        return found
