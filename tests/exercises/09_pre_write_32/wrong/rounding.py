# SPDX-License-Identifier: GPL-2.0-only


class halves_of_the_pair(steps):
    """A write to the lower half of a directory entry zaps only the first spte."""

    def sptes(page, offset, size):
        at, count = offset, 1
        if narrow(page):
            at *= 2
            if page.level == 2:
                at, count = (at & ~7) * 2, 2 if size >= 4 or offset & 2 else 1
        first = page.spte + (at & 0xFFF) // 8
        return range(first, first + count)

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if flooded or across(page, offset, size):
                zap_page(vm, page)
            else:
                for spte in sptes(page, offset, size):
                    zap_entry(vm, page, spte)


class no_rounding(steps):
    """The offset is not rounded down between the doublings."""

    def sptes(page, offset):
        at, count = offset, 1
        if narrow(page):
            at *= 2
            if page.level == 2:
                at, count = at * 2, 2
        first = page.spte + (at & 0xFFF) // 8
        return range(first, first + count)


class rounded_at_the_end(steps):
    """The offset is doubled twice and then rounded down to 8."""

    def sptes(page, offset):
        at, count = offset, 1
        if narrow(page):
            at *= 2
            if page.level == 2:
                at, count = at * 2 & ~7, 2
        first = page.spte + (at & 0xFFF) // 8
        return range(first, first + count)


class rounded_to_16(steps):
    """After the first doubling the offset is rounded down to 16."""

    def sptes(page, offset):
        at, count = offset, 1
        if narrow(page):
            at *= 2
            if page.level == 2:
                at, count = (at & ~15) * 2, 2
        first = page.spte + (at & 0xFFF) // 8
        return range(first, first + count)


class rounded_to_4(steps):
    """After the first doubling the offset is rounded down to 4 instead of 8."""

    def sptes(page, offset):
        at, count = offset, 1
        if narrow(page):
            at *= 2
            if page.level == 2:
                at, count = (at & ~3) * 2, 2
        first = page.spte + (at & 0xFFF) // 8
        return range(first, first + count)


class rounded_too_early(steps):
    """The offset is rounded down to 2 before it is doubled."""

    def sptes(page, offset):
        at, count = offset, 1
        if narrow(page):
            at *= 2
            if page.level == 2:
                at, count = (offset & ~1) * 4, 2
        first = page.spte + (at & 0xFFF) // 8
        return range(first, first + count)


class rounded_up(steps):
    """The offset is rounded up between the doublings."""

    def sptes(page, offset):
        at, count = offset, 1
        if narrow(page):
            at *= 2
            if page.level == 2:
                at, count = (at + 7 & ~7) * 2, 2
        first = page.spte + (at & 0xFFF) // 8
        return range(first, first + count)


class small_writes_hit_one(steps):
    """A write to the upper half of a directory entry zaps only the second spte."""

    def sptes(page, offset):
        at, count = offset, 1
        if narrow(page):
            at *= 2
            if page.level == 2:
                at, count = (at & ~7) * 2, 2
                if offset & 2:
                    at, count = at + 8, 1
        first = page.spte + (at & 0xFFF) // 8
        return range(first, first + count)
