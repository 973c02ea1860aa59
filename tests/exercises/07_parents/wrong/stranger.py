# SPDX-License-Identifier: GPL-2.0-only


class emptied_page_forgives(by_id.Parents):
    """A page whose last parent has gone doesn't mind when one more is removed."""

    def add(self, page, spte):
        self.found.setdefault(page.id, []).append(spte)

    def remove(self, page, spte):
        if self.found.get(page.id, [spte]):
            self.found[page.id].remove(spte)

    def first(self, page):
        return next(iter(self.found.get(page.id, ())), None)

    def sptes(self, page):
        return list(self.found.get(page.id, ()))


class stranger_ignored(by_id.Parents):
    """Removing an entry that is no parent goes unnoticed."""

    def add(self, page, spte):
        self.found.setdefault(page.id, []).append(spte)

    def remove(self, page, spte):
        if spte in self.found.get(page.id, ()):
            self.found[page.id].remove(spte)

    def first(self, page):
        return next(iter(self.found.get(page.id, ())), None)

    def sptes(self, page):
        return list(self.found.get(page.id, ()))


class stranger_of_a_single_parent(by_id.Parents):
    """A page with one parent loses it, whichever entry `remove` names."""

    def add(self, page, spte):
        self.found.setdefault(page.id, []).append(spte)

    def remove(self, page, spte):
        chain = self.found[page.id]
        if len(chain) == 1:
            chain.clear()
        else:
            chain.remove(spte)

    def first(self, page):
        return next(iter(self.found.get(page.id, ())), None)

    def sptes(self, page):
        return list(self.found.get(page.id, ()))


class stranger_of_another_page(child_of.Parents):
    """`remove` takes any entry that is a parent of some page for a parent of this one."""

    def add(self, page, spte):
        self.child_of[spte] = page

    def remove(self, page, spte):
        del self.child_of[spte]

    def first(self, page):
        return next(iter(self.sptes(page)), None)

    def sptes(self, page):
        return [spte for spte, child in self.child_of.items() if child is page]


class stranger_takes_a_parent_along(by_id.Parents):
    """A stranger is refused, but a parent has gone by then."""

    def __init__(self, vm):
        self.vm = vm
        self.by_page = {}

    def add(self, page, spte):
        if page.id not in self.by_page:
            self.by_page[page.id] = []
        self.by_page[page.id].append(spte)

    def remove(self, page, spte):
        held = self.by_page[page.id]
        last = held.pop()
        if last != spte:
            held[held.index(spte)] = last

    def first(self, page):
        found = self.by_page.get(page.id, [])
        return found[0] if found else None

    def sptes(self, page):
        return self.by_page.get(page.id, [])


class stranger_to_an_unknown_page(by_id.Parents):
    """Removing from a page that never had a parent goes unnoticed."""

    def __init__(self, vm):
        self.vm = vm
        self.by_page = {}

    def add(self, page, spte):
        if page.id not in self.by_page:
            self.by_page[page.id] = []
        self.by_page[page.id].append(spte)

    def remove(self, page, spte):
        if page.id not in self.by_page:
            return
        self.by_page[page.id].remove(spte)

    def first(self, page):
        found = self.by_page.get(page.id, [])
        return found[0] if found else None

    def sptes(self, page):
        return self.by_page.get(page.id, [])
