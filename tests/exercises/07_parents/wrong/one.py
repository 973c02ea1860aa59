# SPDX-License-Identifier: GPL-2.0-only


class class_level(lists.Parents):
    """The dict is a class attribute, which all machines share."""

    lists = {}

    def __init__(self, vm):
        pass


class first_is_a_page(lists.Parents):
    """`first` answers the number of the page above instead of the entry."""

    def first(self, page):
        return next((spte >> 9 for spte in self.sptes(page)), None)


class first_is_zero(lists.Parents):
    """`first` answers 0 if there is no parent, and zapping would never end."""

    def first(self, page):
        return next(iter(self.lists.get(self.key(page), ())), 0)


class first_takes_it(lists.Parents):
    """`first` removes the parent, as zapping does afterwards."""

    def first(self, page):
        row = self.lists.get(self.key(page))
        return row.pop(0) if row else None


class new_machine_resets(lists.Parents):
    """A new machine discards the parents of all others."""

    def __init__(self, vm):
        Parents.lists = {}


class none_instead_of_nothing(lists.Parents):
    """`sptes` answers None for a page that never had a parent."""

    def sptes(self, page):
        return self.lists.get(self.key(page))
