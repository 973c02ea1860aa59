# SPDX-License-Identifier: GPL-2.0-only


class count_stays_two(steps):
    """A directory sets the number of sptes to 2, also for the pages after it."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        count = 1
        for page in shadows(vm, gfn):
            if flooded or across(page, offset, size):
                zap_page(vm, page)
            else:
                count = max(count, len(sptes(page, offset)))
                first = sptes(page, offset)[0]
                for spte in range(first, first + count):
                    zap_entry(vm, page, spte)


class first_page_only(steps):
    """Only the first shadow page of the gfn is hit."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if flooded or across(page, offset, size):
                zap_page(vm, page)
            else:
                for spte in sptes(page, offset):
                    zap_entry(vm, page, spte)
                break


class gfn_of_20_bits(steps):
    """Only 20 bits of a gfn are compared."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT & 0xFFFFF, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if flooded or across(page, offset, size):
                zap_page(vm, page)
            else:
                for spte in sptes(page, offset):
                    zap_entry(vm, page, spte)


class large_pages_hit(steps):
    """Only pages from before paging count as metaphysical; those of large pages are hit."""

    def shadows(vm, gfn):
        return [page for page in vm.pool.bucket(gfn) if page.gfn == gfn and page.glevels != 0]


class last_entry_spared(steps):
    """The last entry of quadrant 0 spares the pages of quadrant 3."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if flooded or across(page, offset, size):
                zap_page(vm, page)
            elif not (narrow(page) and page.level == 2 and page.quadrant == 3 and 1020 <= offset < 1024):
                for spte in sptes(page, offset):
                    zap_entry(vm, page, spte)


class last_pair_halved(steps):
    """The last entry of the first quadrant has only one spte."""

    def sptes(page, offset):
        at, count = offset, 1
        if narrow(page):
            at *= 2
            if page.level == 2:
                at, count = (at & ~7) * 2, 2 if offset // 4 != 255 else 1
        first = page.spte + (at & 0xFFF) // 8
        return range(first, first + count)


class level_of_the_newest(steps):
    """All pages have the level of the newest one."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if flooded or across(page, offset, size):
                zap_page(vm, page)
            else:
                for spte in sptes(page, vm.pool.lookup(gfn).level, offset):
                    zap_entry(vm, page, spte)

    def sptes(page, level, offset):
        at, count = offset, 1
        if narrow(page):
            at *= 2
            if level == 2:
                at, count = (at & ~7) * 2, 2
        first = page.spte + (at & 0xFFF) // 8
        return range(first, first + count)


class metaphysical_entries_hit(steps):
    """Metaphysical pages are hit by writes of less than 4 bytes."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in list(vm.pool.bucket(gfn)):
            if page.gfn != gfn or (page.metaphysical and (flooded or size >= 4)):
                continue
            if flooded or across(page, offset, size):
                zap_page(vm, page)
            else:
                for spte in sptes(page, offset):
                    zap_entry(vm, page, spte)


class metaphysical_hit(steps):
    """Metaphysical pages of the gfn are hit as well."""

    def shadows(vm, gfn):
        return [page for page in vm.pool.bucket(gfn) if page.gfn == gfn]


class metaphysical_hit_in_part(steps):
    """Metaphysical pages are hit by writes of less than 4 bytes inside 8 bytes."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        small = size < 4 and offset // 8 == (offset + size - 1) // 8
        for page in list(vm.pool.bucket(gfn)):
            if page.gfn != gfn or (page.metaphysical and (flooded or not small)):
                continue
            if flooded or across(page, offset, size):
                zap_page(vm, page)
            else:
                for spte in sptes(page, offset):
                    zap_entry(vm, page, spte)


class metaphysical_roots_hit(steps):
    """Metaphysical pages are hit if they are roots in use."""

    def shadows(vm, gfn):
        return [page for page in vm.pool.bucket(gfn) if page.gfn == gfn and (not page.metaphysical or page.root_count)]


class offset_grows_on(steps):
    """The offset is doubled in place, and once more for each page after the first."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if flooded or across(page, offset, size):
                zap_page(vm, page)
            else:
                count = 1
                if narrow(page):
                    offset *= 2
                    if page.level == 2:
                        offset, count = (offset & ~7) * 2, 2
                first = page.spte + (offset & 0xFFF) // 8
                for spte in range(first, first + count):
                    zap_entry(vm, page, spte)


class one_level_only(steps):
    """If a frame is directory and page table, only the directory is hit."""

    def shadows(vm, gfn):
        found = [page for page in vm.pool.bucket(gfn) if page.gfn == gfn]
        return [page for page in [page for page in found if page.level == 2] or found if not page.metaphysical]


class own_quadrant_of_directories(steps):
    """Of directories only the quadrant that shadows the written entry is hit."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if narrow(page) and page.level == 2 and page.quadrant != offset >> 10:
                continue
            if flooded or across(page, offset, size):
                zap_page(vm, page)
            else:
                for spte in sptes(page, offset):
                    zap_entry(vm, page, spte)


class own_quadrant_of_page_tables(steps):
    """Of page tables only the quadrant that shadows the written entry is hit."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if narrow(page) and page.level == 1 and page.quadrant != offset >> 11:
                continue
            if flooded or across(page, offset, size):
                zap_page(vm, page)
            else:
                for spte in sptes(page, offset):
                    zap_entry(vm, page, spte)


class own_quadrant_only(steps):
    """Only the quadrant that shadows the written entry is hit."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if narrow(page) and page.quadrant != offset >> 12 - page.level:
                continue
            if flooded or across(page, offset, size):
                zap_page(vm, page)
            else:
                for spte in sptes(page, offset):
                    zap_entry(vm, page, spte)


class quadrant_0_only(steps):
    """Only quadrant 0 is hit, and the quadrant that shadows the written entry."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if narrow(page) and page.quadrant not in (0, offset >> 12 - page.level):
                continue
            if flooded or across(page, offset, size):
                zap_page(vm, page)
            else:
                for spte in sptes(page, offset):
                    zap_entry(vm, page, spte)


class whole_bucket(steps):
    """All pages of the bucket are hit, whatever their gfn."""

    def shadows(vm, gfn):
        return [page for page in vm.pool.bucket(gfn) if not page.metaphysical]


class gfn_of_32_bits(steps):
    """It uses only 32 bits of the gfn."""

    def shadows(vm, gfn):
        return [page for page in vm.pool.bucket(gfn) if (page.gfn ^ gfn) & 0xFFFFFFFF == 0 and not page.metaphysical]


class ten_pages_at_most(steps):
    """It looks at the first ten pages of the bucket."""

    def shadows(vm, gfn):
        return [page for page in vm.pool.bucket(gfn)[:10] if page.gfn == gfn and not page.metaphysical]


class names_of_one_frame(steps):
    """It also hits the tables of other gfns of the same frame."""

    def shadows(vm, gfn):
        gfn = vm.memory.unalias(gfn)
        return [page for page in vm.pool.bucket(gfn) if page.gfn == gfn and not page.metaphysical]


class hundred_pages_at_most(steps):
    """It looks at the first hundred pages of the bucket."""

    def shadows(vm, gfn):
        return [page for page in vm.pool.bucket(gfn)[:100] if page.gfn == gfn and not page.metaphysical]
