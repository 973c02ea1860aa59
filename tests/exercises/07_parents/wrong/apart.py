# SPDX-License-Identifier: GPL-2.0-only


class index_only(lists.Parents):
    """Of an entry only the index is compared, so that two pages above count as one."""

    def add(self, page, spte):
        self.lists.setdefault(self.key(page), {}).setdefault(spte & 511, spte)

    def remove(self, page, spte):
        del self.lists[self.key(page)][spte & 511]

    def first(self, page):
        return next(iter(self.sptes(page)), None)

    def sptes(self, page):
        return list(self.lists.get(self.key(page), {}).values())


class kept_by_a_short_hash(lists.Parents):
    """Parents are kept by 3 bits of the page's number, so that distant pages share a list."""

    def key(self, page):
        return page.id >> 5


class kept_by_gfn(lists.Parents):
    """Parents are kept by gfn, which several shadow pages can have."""

    def key(self, page):
        return page.gfn


class kept_by_role(lists.Parents):
    """Parents are kept by gfn and role, which two pages can have in common, unlike in the hash."""

    def key(self, page):
        return page.gfn, page.role


class kept_for_all(lists.Parents):
    """All pages share one list."""

    def key(self, page):
        return None


class page_0_is_no_page(lists.Parents):
    """Page 0 never has a first parent."""

    def first(self, page):
        return next(iter(self.lists.get(page.id, ())), None) if page.id else None


class pages_of_7_bits(lists.Parents):
    """Pages whose numbers differ by 128 share their parents."""

    def key(self, page):
        return page.id % 128


class metaphysical_ignored(lists.Parents):
    """It keeps no parents of pages that shadow no guest table."""

    def add(self, page, spte):
        if not page.metaphysical:
            self.lists.setdefault(self.key(page), []).append(spte)


class entries_of_16_bits(lists.Parents):
    """Entries whose numbers differ by 65536 take each other's place."""

    def add(self, page, spte):
        self.lists.setdefault(page.id, {})[spte & 0xFFFF] = spte

    def remove(self, page, spte):
        del self.lists[page.id][spte & 0xFFFF]

    def first(self, page):
        return next(iter(self.sptes(page)), None)

    def sptes(self, page):
        return list(self.lists.get(page.id, {}).values())


class page_0_has_one_parent(lists.Parents):
    """Page 0 never has a second parent."""

    def add(self, page, spte):
        if page.id or not self.lists.get(0):
            self.lists.setdefault(page.id, []).append(spte)


class a_hundred_pages(lists.Parents):
    """It keeps the parents of 100 pages and no more."""

    def add(self, page, spte):
        if page.id in self.lists or len(self.lists) < 100:
            self.lists.setdefault(page.id, []).append(spte)


class two_thousand_parents(lists.Parents):
    """It keeps 2,000 parents of all pages together and no more."""

    def add(self, page, spte):
        if sum(map(len, self.lists.values())) < 2000:
            self.lists.setdefault(page.id, []).append(spte)


class page_255_left_out(lists.Parents):
    """A table of 255 pages has no place for the last one."""

    def __init__(self, vm):
        self.lists = {number: [] for number in range(255)}

    def add(self, page, spte):
        self.lists[page.id].append(spte)


class levels_of_roots_left_out(lists.Parents):
    """A page of the root's level is taken for a root, which has no parents."""

    def __init__(self, vm):
        self.lists = {}
        self.vm = vm

    def add(self, page, spte):
        if page.level != self.vm.root_level:
            self.lists.setdefault(page.id, []).append(spte)


class own_entries_left_out(lists.Parents):
    """An entry of the page itself is not taken for its parent."""

    def add(self, page, spte):
        if spte >> 9 != 256 + page.id:
            self.lists.setdefault(page.id, []).append(spte)


class one_page_for_life(lists.Parents):
    """An entry can only be a parent of the page to which it led first."""

    def __init__(self, vm):
        self.lists = {}
        self.first_page = {}

    def add(self, page, spte):
        if self.first_page.setdefault(spte, page.id) == page.id:
            self.lists.setdefault(page.id, []).append(spte)
