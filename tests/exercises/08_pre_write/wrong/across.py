# SPDX-License-Identifier: GPL-2.0-only


class across_leaf_pages_only(steps):
    """A write across entries zaps only page tables."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if flooded or (across(offset, size) and page.level == 1):
                zap_page(vm, page)
            else:
                zap_entry(vm, page, page.spte + offset // 8)


class across_needs_an_entry(steps):
    """A write across entries zaps a page only if one of the two entries is not empty."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if flooded or across(offset, size):
                first = page.spte + offset // 8
                if flooded or vm.memory.words[first] or vm.memory.words[first + 1]:
                    zap_page(vm, page)
            else:
                zap_entry(vm, page, page.spte + offset // 8)


class across_zaps_one(steps):
    """A write across entries zaps only the first page."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if flooded or across(offset, size):
                zap_page(vm, page)
                break
            else:
                zap_entry(vm, page, page.spte + offset // 8)


class both_entries(steps):
    """A write across two entries zaps the two, and not the page."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if flooded:
                zap_page(vm, page)
            else:
                for index in range(offset // 8, (offset + size - 1) // 8 + 1):
                    zap_entry(vm, page, page.spte + index)


class given_back_by_hand(steps):
    """The page is given back to the pool without being emptied."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if flooded or across(offset, size):
                vm.pool.give(page)
            else:
                zap_entry(vm, page, page.spte + offset // 8)


class live_list(steps):
    """It iterates over the bucket itself while zapping takes pages out of it."""

    def shadows(vm, gfn):
        return (page for page in vm.pool.bucket(gfn) if page.gfn == gfn and not page.metaphysical)


class only_8_bytes_are_across(steps):
    """Only a write of 8 bytes counts as across two entries."""

    def across(offset, size):
        return size == 8 and offset % 8 != 0


class start_only(steps):
    """Only the first byte of a write counts."""

    def across(offset, size):
        return False


class until_none_is_left(steps):
    """It zaps for as long as the pool finds a page of the gfn; a root in use is found for ever."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        while (flooded or across(offset, size)) and (page := vm.pool.lookup(gfn)):
            zap_page(vm, page)
        for page in shadows(vm, gfn):
            zap_entry(vm, page, page.spte + offset // 8)


class zaps_backwards(steps):
    """It iterates over the bucket from its end."""

    def shadows(vm, gfn):
        return [page for page in reversed(vm.pool.bucket(gfn)) if page.gfn == gfn and not page.metaphysical]


class zaps_the_bucket(steps):
    """A write across entries zaps all pages of the bucket."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in list(vm.pool.bucket(gfn)):
            if flooded or across(offset, size):
                zap_page(vm, page)
            elif page.gfn == gfn and not page.metaphysical:
                zap_entry(vm, page, page.spte + offset // 8)


class roots_zapped_twice(steps):
    """A root in use is zapped once more, because it is still there."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if flooded or across(offset, size):
                zap_page(vm, page)
                if page in vm.pool.active:
                    zap_page(vm, page)
            else:
                zap_entry(vm, page, page.spte + offset // 8)


class sorted_by_id(steps):
    """The pages are processed in the order of their ids."""

    def shadows(vm, gfn):
        found = [page for page in vm.pool.bucket(gfn) if page.gfn == gfn and not page.metaphysical]
        return sorted(found, key=lambda page: page.id)


class roots_in_use_twice(steps):
    """A root that is in use twice is not zapped."""

    def shadows(vm, gfn):
        found = [page for page in vm.pool.bucket(gfn) if page.gfn == gfn and not page.metaphysical]
        return [page for page in found if page.root_count < 2]
