# SPDX-License-Identifier: GPL-2.0-only


class children_zapped(steps):
    """The children of the pair are zapped."""

    def unlink(vm, page, spte, entry):
        if page.level == 1:
            vm.rmap.remove(spte)
        else:
            zap_page(vm, child(vm, entry))


class directories_doubled_once(steps):
    """The offset is doubled only once for directories."""

    def sptes(page, offset):
        at, count = offset, 1
        if narrow(page):
            at *= 2
            if page.level == 2:
                count = 2
        first = page.spte + (at & 0xFFF) // 8
        return range(first, first + count)


class doubled_three_times(steps):
    """The offset is doubled three times for directories."""

    def sptes(page, offset):
        at, count = offset, 1
        if narrow(page):
            at *= 2
            if page.level == 2:
                at, count = (at & ~7) * 4, 2
        first = page.spte + (at & 0xFFF) // 8
        return range(first, first + count)


class entry_of_the_first(steps):
    """The entry of the first spte is taken for both of the pair."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if flooded or across(page, offset, size):
                zap_page(vm, page)
            else:
                entry = vm.memory.words[sptes(page, offset)[0]]
                for spte in sptes(page, offset):
                    zap_entry(vm, page, spte, entry)

    def zap_entry(vm, page, spte, entry):
        if entry & PRESENT:
            unlink(vm, page, spte, entry)
        vm.memory.put(spte, 0, ev.ZAP_SPTE)


class first_parent_for_both(steps):
    """The first of the pair is removed from the parents twice."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if flooded or across(page, offset, size):
                zap_page(vm, page)
            else:
                for spte in sptes(page, offset):
                    zap_entry(vm, page, spte, sptes(page, offset)[0])

    def zap_entry(vm, page, spte, first):
        entry = vm.memory.words[spte]
        if entry & PRESENT:
            unlink(vm, page, spte if page.level == 1 else first, entry)
        vm.memory.put(spte, 0, ev.ZAP_SPTE)


class four_of_them(steps):
    """A directory entry has four sptes."""

    def sptes(page, offset):
        at, count = offset, 1
        if narrow(page):
            at *= 2
            if page.level == 2:
                at, count = (at & ~7) * 2, 4
        first = page.spte + (at & 0xFFF) // 8
        return range(first, first + count)


class live_roots_spared(steps):
    """A root in use is spared, which in these guests is the directory."""

    def shadows(vm, gfn):
        return [page for page in vm.pool.bucket(gfn) if page.gfn == gfn and not page.metaphysical and not page.root_count]


class one_of_the_pair(steps):
    """Only the first of the two sptes of a directory entry is zapped."""

    def sptes(page, offset):
        at, count = offset, 1
        if narrow(page):
            at *= 2
            if page.level == 2:
                at = (at & ~7) * 2
        first = page.spte + (at & 0xFFF) // 8
        return range(first, first + count)


class pair_below(steps):
    """The pair is the spte and the one before it."""

    def sptes(page, offset):
        at, count = offset, 1
        if narrow(page):
            at *= 2
            if page.level == 2:
                at, count = (at & ~7) * 2, 2
        first = page.spte + (at & 0xFFF) // 8
        return range(first - count + 1, first + 1)


class pair_past_the_mask(steps):
    """The offset is doubled twice without a mask, so that the pairs of other quadrants lie behind the page."""

    def sptes(page, offset):
        at, count = offset, 1
        if narrow(page):
            at = at * 2 & 0xFFF
            if page.level == 2:
                at, count = (at & 0xFF8) * 2, 2
        first = page.spte + (at & 0x1FFF) // 8
        return range(first, first + count)


class pair_stops_at_empty(steps):
    """If the first spte of the pair is empty, the second is not looked at."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if flooded or across(page, offset, size):
                zap_page(vm, page)
            else:
                for spte in sptes(page, offset):
                    if not vm.memory.words[spte]:
                        break
                    zap_entry(vm, page, spte)


class parent_kept(steps):
    """The links are zeroed, but stay among the parents of the children."""

    def unlink(vm, page, spte, entry):
        if page.level == 1:
            vm.rmap.remove(spte)


class quadrant_3_spared_by_2(steps):
    """Entries of quadrant 2 spare the pages of quadrant 3."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if flooded or across(page, offset, size):
                zap_page(vm, page)
            elif not (narrow(page) and page.level == 2 and page.quadrant == 3 and offset >> 10 == 2):
                for spte in sptes(page, offset):
                    zap_entry(vm, page, spte)


class second_of_the_pair(steps):
    """Only the second of the two sptes of a directory entry is zapped."""

    def sptes(page, offset):
        at, count = offset, 1
        if narrow(page):
            at *= 2
            if page.level == 2:
                at = (at & ~7) * 2 + 8
        first = page.spte + (at & 0xFFF) // 8
        return range(first, first + count)
