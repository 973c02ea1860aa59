# SPDX-License-Identifier: GPL-2.0-only


class across_by_the_smallest(steps):
    """Whether a write is across entries is asked of 4-byte entries if one of the pages has them."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        widths = [4 if narrow(page) else 8 for page in vm.pool.bucket(gfn) if page.gfn == gfn]
        width = min(widths, default=8)
        for page in shadows(vm, gfn):
            if flooded or offset // width != (offset + size - 1) // width:
                zap_page(vm, page)
            else:
                for spte in sptes(page, offset):
                    zap_entry(vm, page, spte)


class always_4_bytes(steps):
    """All entries have 4 bytes."""

    def narrow(page):
        return True


class directories_always_paired(steps):
    """Directories of 8-byte entries have pairs as well."""

    def sptes(page, offset):
        at, count = offset, 1
        if narrow(page):
            at *= 2
        if page.level == 2:
            at, count = (at & ~7) * 2, 2
        first = page.spte + (at & 0xFFF) // 8
        return range(first, first + count)


class flood_of_narrow_tables_only(steps):
    """Only tables of 4-byte entries are zapped as a whole."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if narrow(page) and (flooded or across(page, offset, size)):
                zap_page(vm, page)
            else:
                for spte in sptes(page, offset):
                    zap_entry(vm, page, spte)


class glevels_as_level(steps):
    """The level of a page is taken for the number of levels of its guest."""

    def narrow(page):
        return page.level == 2 or page.glevels == 2


class misaligned_writes_zap_64_bit_pages(steps):
    """A 4-byte write that is not aligned zaps the page of a 64-bit guest."""

    def across(page, offset, size):
        width = 4 if narrow(page) else 8
        if page.glevels == 4 and size == 4 and offset % 4:
            return True
        return offset // width != (offset + size - 1) // width


class mode_of_the_machine(steps):
    """The width of an entry is that of the guest's present mode instead of the page's."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if flooded or across(vm, offset, size):
                zap_page(vm, page)
            else:
                for spte in sptes(vm, page, offset):
                    zap_entry(vm, page, spte)

    def across(vm, offset, size):
        width = 4 if vm.root_level == 2 else 8
        return offset // width != (offset + size - 1) // width

    def sptes(vm, page, offset):
        at, count = offset, 1
        if vm.root_level == 2:
            at *= 2
            if page.level == 2:
                at, count = (at & ~7) * 2, 2
        first = page.spte + (at & 0xFFF) // 8
        return range(first, first + count)


class one_byte_over_forgiven(steps):
    """8 bytes that reach one byte into the next 8-byte entry count as inside one entry."""

    def across(page, offset, size):
        width = 4 if narrow(page) else 8
        return offset // width != (offset + size - 1 - (size == width == 8)) // width


class pae_as_4_bytes(steps):
    """An entry of a PAE guest has 4 bytes."""

    def narrow(page):
        return page.glevels in (2, 3)


class pages_of_another_mode_skipped(steps):
    """Pages from before a change of the mode are skipped."""

    def shadows(vm, gfn):
        found = [page for page in vm.pool.bucket(gfn) if page.gfn == gfn and not page.metaphysical]
        return [page for page in found if page.glevels == vm.root_level]


class size_of_the_newest(steps):
    """The width of an entry is that of the newest page's."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        newest = vm.pool.lookup(gfn)
        for page in shadows(vm, gfn):
            if flooded or across(newest, offset, size):
                zap_page(vm, page)
            else:
                for spte in sptes(newest, page, offset):
                    zap_entry(vm, page, spte)

    def sptes(newest, page, offset):
        at, count = offset, 1
        if narrow(newest):
            at *= 2
            if page.level == 2:
                at, count = (at & ~7) * 2, 2
        first = page.spte + (at & 0xFFF) // 8
        return range(first, first + count)


class two_sptes_always(steps):
    """Every directory entry has two sptes, even in tables of 8-byte entries."""

    def sptes(page, offset):
        at, count = offset, 1
        if narrow(page):
            at *= 2
            if page.level == 2:
                at, count = (at & ~7) * 2, 2
        if page.level == 2:
            count = 2
        first = page.spte + (at & 0xFFF) // 8
        return range(first, first + count)


class upper_levels_as_leaves(steps):
    """Only entries of level 2 have children; those of higher levels are treated as leaves."""

    def unlink(vm, page, spte, entry):
        if page.level == 2:
            vm.parents.remove(child(vm, entry), spte)
        else:
            vm.rmap.remove(spte)


class wide_pages_skipped(steps):
    """Pages of 8-byte entries are skipped."""

    def shadows(vm, gfn):
        return [page for page in vm.pool.bucket(gfn) if page.gfn == gfn and not page.metaphysical and narrow(page)]


class zaps_all_if_across_in_one(steps):
    """If a write is across entries for one page, the pages after it are zapped as well."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        whole = flooded
        for page in shadows(vm, gfn):
            whole = whole or across(page, offset, size)
            if whole:
                zap_page(vm, page)
            else:
                for spte in sptes(page, offset):
                    zap_entry(vm, page, spte)


class two_bytes_never_across(steps):
    """A write of 2 bytes is never across two entries of 8 bytes."""

    def across(page, offset, size):
        unit = 4 if narrow(page) else 8
        return (unit == 4 or size != 2) and offset // unit != (offset + size - 1) // unit


class roots_in_use_twice(steps):
    """A root that is in use twice is not zapped."""

    def shadows(vm, gfn):
        found = [page for page in vm.pool.bucket(gfn) if page.gfn == gfn and not page.metaphysical]
        return [page for page in found if page.root_count < 2]
