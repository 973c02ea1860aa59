# SPDX-License-Identifier: GPL-2.0-only


class emptied_page_forgives(lists.Parents):
    """Removing an entry from a page whose last parent has gone is accepted."""

    def remove(self, page, spte):
        if self.lists.get(self.key(page), [spte]):
            self.lists[self.key(page)].remove(spte)


class stranger_ignored(lists.Parents):
    """Removing an entry that is no parent is accepted."""

    def remove(self, page, spte):
        if spte in self.sptes(page):
            self.lists[self.key(page)].remove(spte)


class stranger_of_a_single_parent(lists.Parents):
    """A page with one parent loses it, whichever entry `remove` names."""

    def remove(self, page, spte):
        row = self.lists[self.key(page)]
        if len(row) == 1:
            row.clear()
        else:
            row.remove(spte)


class stranger_of_another_page(child_of.Parents):
    """`remove` accepts any entry that is a parent of some page."""

    def remove(self, page, spte):
        del self.child_of[spte]


class stranger_takes_a_parent_along(lists.Parents):
    """An entry that is no parent is refused, but a parent is gone by then."""

    def remove(self, page, spte):
        row = self.lists[self.key(page)]
        last = row.pop()
        if last != spte:
            row[row.index(spte)] = last


class stranger_to_an_unknown_page(lists.Parents):
    """Removing from a page that never had a parent is accepted."""

    def remove(self, page, spte):
        if self.key(page) in self.lists:
            self.lists[self.key(page)].remove(spte)


class accepted_in_long_lists(lists.Parents):
    """With more than 100 parents, a stranger is ignored."""

    def remove(self, page, spte):
        row = self.lists.get(self.key(page), [])
        if len(row) <= 100 or spte in row:
            row.remove(spte)


class one_lost_of_long_lists(lists.Parents):
    """With twelve parents or more, a stranger costs the last one."""

    def remove(self, page, spte):
        row = self.lists.get(self.key(page), [])
        if len(row) >= 12 and spte not in row:
            row.pop()
        row.remove(spte)


class accepted_from_a_thousand_on(lists.Parents):
    """With 1,000 parents or more, a stranger is ignored."""

    def remove(self, page, spte):
        row = self.lists.get(self.key(page), [])
        if len(row) < 1000 or spte in row:
            row.remove(spte)


class own_entry_ignored(lists.Parents):
    """An entry of the page itself, which is no parent, is ignored."""

    def remove(self, page, spte):
        row = self.lists.get(self.key(page), [])
        if spte in row or spte >> 9 != 256 + page.id:
            row.remove(spte)


class ignored_above_level_1(lists.Parents):
    """For a page above level 1, a stranger is ignored."""

    def remove(self, page, spte):
        row = self.lists.get(self.key(page), [])
        if spte in row or page.level == 1:
            row.remove(spte)
