# SPDX-License-Identifier: GPL-2.0-only


class class_level(linked_list.Parents):
    """The dictionary belongs to the class: all machines share it."""

    found = {}

    def add(self, page, spte):
        self.found.setdefault(page.id, []).append(spte)

    def remove(self, page, spte):
        self.found[page.id].remove(spte)

    def first(self, page):
        return next(iter(self.found.get(page.id, ())), None)

    def sptes(self, page):
        return list(self.found.get(page.id, ()))


class first_is_a_page(by_id.Parents):
    """`first` answers the number of the page above, not the entry."""

    def add(self, page, spte):
        self.found.setdefault(page.id, []).append(spte)

    def remove(self, page, spte):
        self.found[page.id].remove(spte)

    def first(self, page):
        chain = self.found.get(page.id)
        return chain[0] >> 9 if chain else None

    def sptes(self, page):
        return list(self.found.get(page.id, ()))


class first_is_zero(by_id.Parents):
    """`first` answers 0 where there is no parent, and zapping would go on for ever."""

    def add(self, page, spte):
        self.found.setdefault(page.id, []).append(spte)

    def remove(self, page, spte):
        self.found[page.id].remove(spte)

    def first(self, page):
        return next(iter(self.found.get(page.id, ())), 0)

    def sptes(self, page):
        return list(self.found.get(page.id, ()))


class first_takes_it(by_id.Parents):
    """`first` takes the parent out, as zapping will do anyway."""

    def add(self, page, spte):
        self.found.setdefault(page.id, []).append(spte)

    def remove(self, page, spte):
        self.found[page.id].remove(spte)

    def first(self, page):
        chain = self.found.get(page.id)
        return chain.pop(0) if chain else None

    def sptes(self, page):
        return list(self.found.get(page.id, ()))


class new_machine_resets(by_id.Parents):
    """A new machine throws the parents of all others away."""

    def __init__(self, vm):
        self.vm = vm
        Parents.by_page = {}

    def add(self, page, spte):
        if page.id not in self.by_page:
            self.by_page[page.id] = []
        self.by_page[page.id].append(spte)

    def remove(self, page, spte):
        self.by_page.get(page.id, []).remove(spte)

    def first(self, page):
        found = self.by_page.get(page.id, [])
        return found[0] if found else None

    def sptes(self, page):
        return self.by_page.get(page.id, [])


class none_instead_of_nothing(by_id.Parents):
    """`sptes` answers None for a page that never had a parent."""

    def add(self, page, spte):
        self.found.setdefault(page.id, []).append(spte)

    def remove(self, page, spte):
        self.found[page.id].remove(spte)

    def first(self, page):
        return next(iter(self.found.get(page.id, ())), None)

    def sptes(self, page):
        return self.found.get(page.id)
