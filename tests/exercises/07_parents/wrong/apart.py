# SPDX-License-Identifier: GPL-2.0-only


class index_only(by_id.Parents):
    """Of an entry only its index is compared, so two pages above are taken for one."""

    def add(self, page, spte):
        self.found.setdefault(page.id, {}).setdefault(spte & 511, spte)

    def remove(self, page, spte):
        del self.found[page.id][spte & 511]

    def first(self, page):
        return next(iter(self.sptes(page)), None)

    def sptes(self, page):
        return list(self.found.get(page.id, {}).values())


class kept_by_a_short_hash(by_id.Parents):
    """Parents are kept by 3 bits of the page's number: distant pages share a list."""

    def add(self, page, spte):
        self.found.setdefault(page.id >> 5, []).append(spte)

    def remove(self, page, spte):
        self.found[page.id >> 5].remove(spte)

    def first(self, page):
        return next(iter(self.found.get(page.id >> 5, ())), None)

    def sptes(self, page):
        return list(self.found.get(page.id >> 5, ()))


class kept_by_gfn(by_id.Parents):
    """Parents are kept by gfn, which several shadow pages can share."""

    def add(self, page, spte):
        self.found.setdefault(page.gfn, []).append(spte)

    def remove(self, page, spte):
        self.found[page.gfn].remove(spte)

    def first(self, page):
        return next(iter(self.found.get(page.gfn, ())), None)

    def sptes(self, page):
        return list(self.found.get(page.gfn, ()))


class kept_by_role(by_id.Parents):
    """Parents are kept by gfn and role, which make a page in the hash, but not here."""

    def add(self, page, spte):
        self.found.setdefault((page.gfn, page.role), []).append(spte)

    def remove(self, page, spte):
        self.found[(page.gfn, page.role)].remove(spte)

    def first(self, page):
        return next(iter(self.found.get((page.gfn, page.role), ())), None)

    def sptes(self, page):
        return list(self.found.get((page.gfn, page.role), ()))


class kept_for_all(by_id.Parents):
    """All pages share one list."""

    def add(self, page, spte):
        self.found.setdefault(None, []).append(spte)

    def remove(self, page, spte):
        self.found[None].remove(spte)

    def first(self, page):
        return next(iter(self.found.get(None, ())), None)

    def sptes(self, page):
        return list(self.found.get(None, ()))


class page_0_is_no_page(by_id.Parents):
    """Page 0 never has a first parent."""

    def __init__(self, vm):
        self.vm = vm
        self.by_page = {}

    def add(self, page, spte):
        if page.id not in self.by_page:
            self.by_page[page.id] = []
        self.by_page[page.id].append(spte)

    def remove(self, page, spte):
        self.by_page.get(page.id, []).remove(spte)

    def first(self, page):
        found = page.id and self.by_page.get(page.id)
        return found[0] if found else None

    def sptes(self, page):
        return self.by_page.get(page.id, [])


class pages_of_7_bits(by_id.Parents):
    """Pages whose numbers differ by 128 share their parents."""

    def __init__(self, vm):
        self.vm = vm
        self.table = {}

    def key(self, page):
        return page.spte & 0xFFFF

    def add(self, page, spte):
        self.table.setdefault(self.key(page), set()).add(spte)

    def remove(self, page, spte):
        self.table[self.key(page)].remove(spte)

    def first(self, page):
        for spte in self.table.get(self.key(page), ()):
            return spte
        return None

    def sptes(self, page):
        return sorted(self.table.get(self.key(page), ()))
