# SPDX-License-Identifier: GPL-2.0-only


class across_8_everywhere(steps):
    """Only the boundaries of 8-byte entries count."""

    def across(page, offset, size):
        width = 8
        return offset // width != (offset + size - 1) // width


class across_needs_an_entry(steps):
    """A write across entries zaps a page only if one of the entries is not empty."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if flooded or across(page, offset, size):
                index = offset // 4 << page.level - 1
                touched = [page.spte + (index + n) % 512 for n in range(4)]
                if flooded or any(vm.memory.words[spte] for spte in touched):
                    zap_page(vm, page)
            else:
                for spte in sptes(page, offset):
                    zap_entry(vm, page, spte)


class across_quadrants_forgiven(steps):
    """A write across the boundary of two quadrants of a directory counts as one inside an entry."""

    def across(page, offset, size):
        width = 4 if narrow(page) else 8
        if narrow(page) and page.level == 2 and offset // 1024 != (offset + size - 1) // 1024:
            return False
        return offset // width != (offset + size - 1) // width


class across_zaps_one(steps):
    """A write across entries zaps only the first page."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if flooded or across(page, offset, size):
                zap_page(vm, page)
                break
            else:
                for spte in sptes(page, offset):
                    zap_entry(vm, page, spte)


class across_zaps_own_quadrant(steps):
    """A write across entries zaps only the quadrant that it begins in."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if flooded or across(page, offset, size):
                if flooded or not narrow(page) or page.quadrant == offset >> 12 - page.level:
                    zap_page(vm, page)
            else:
                for spte in sptes(page, offset):
                    zap_entry(vm, page, spte)


class all_touched_entries(steps):
    """A write across entries zaps the entries that it touches, and not the page."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if flooded:
                zap_page(vm, page)
            else:
                for spte in touched(page, offset, size):
                    zap_entry(vm, page, spte)

    def touched(page, offset, size):
        width = 4 if narrow(page) else 8
        pair = narrow(page) and page.level == 2
        for index in range(offset // width, (offset + size - 1) // width + 1):
            first = page.spte + (index << pair) % 512
            yield from range(first, first + 1 + pair)


class by_quadrants(steps):
    """It iterates over the pages in the order of their quadrants."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in sorted(shadows(vm, gfn), key=lambda page: page.quadrant):
            if flooded or across(page, offset, size):
                zap_page(vm, page)
            else:
                for spte in sptes(page, offset):
                    zap_entry(vm, page, spte)


class eight_bytes_aligned(steps):
    """An aligned write of 8 bytes counts as one inside an entry."""

    def across(page, offset, size):
        width = 4 if narrow(page) else 8
        return offset // width != (offset + size - 1) // width and offset % size != 0


class eight_bytes_as_wide(steps):
    """Whether a write of 8 bytes is across entries is asked of 8-byte entries."""

    def across(page, offset, size):
        width = 4 if narrow(page) and size < 8 else 8
        return offset // width != (offset + size - 1) // width


class live_list(steps):
    """It iterates over the bucket itself while zapping takes pages out of it."""

    def shadows(vm, gfn):
        return (page for page in vm.pool.bucket(gfn) if page.gfn == gfn and not page.metaphysical)


class start_only(steps):
    """Only the first byte of a write counts."""

    def across(page, offset, size):
        return False


class until_none_is_left(steps):
    """It zaps for as long as the pool finds a page of the gfn; a root in use is found for ever."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if flooded or across(page, offset, size):
                while (left := vm.pool.lookup(gfn)) is not None:
                    zap_page(vm, left)
                break
            else:
                for spte in sptes(page, offset):
                    zap_entry(vm, page, spte)


class zaps_backwards(steps):
    """It iterates over the bucket from its end."""

    def shadows(vm, gfn):
        return [page for page in reversed(vm.pool.bucket(gfn)) if page.gfn == gfn and not page.metaphysical]


class roots_zapped_twice(steps):
    """A root in use is zapped once more, because it is still there."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if flooded or across(page, offset, size):
                zap_page(vm, page)
                if page in vm.pool.active:
                    zap_page(vm, page)
            else:
                [zap_entry(vm, page, spte) for spte in sptes(page, offset)]


class sorted_by_id(steps):
    """The pages are processed in the order of their ids."""

    def shadows(vm, gfn):
        found = [page for page in vm.pool.bucket(gfn) if page.gfn == gfn and not page.metaphysical]
        return sorted(found, key=lambda page: page.id)
