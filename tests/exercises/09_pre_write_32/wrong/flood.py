# SPDX-License-Identifier: GPL-2.0-only

import weakref


class count_of_a_byte(steps):
    """The count does not go beyond 255."""

    def count_write(vm, gfn):
        if gfn == vm.last_pt_write_gfn:
            vm.last_pt_write_count = min(255, vm.last_pt_write_count + 1)
        else:
            vm.last_pt_write_gfn, vm.last_pt_write_count = gfn, 1
        return vm.last_pt_write_count


class counted_by_bucket(steps):
    """Two gfns that are equal modulo 256 count as one."""

    def count_write(vm, gfn):
        if gfn % 256 == vm.last_pt_write_gfn % 256:
            vm.last_pt_write_count += 1
        else:
            vm.last_pt_write_gfn, vm.last_pt_write_count = gfn, 1
        return vm.last_pt_write_count


class counted_elsewhere(steps):
    """The count is kept in a table beside the machine, and what the machine says is ignored."""

    COUNTS = weakref.WeakKeyDictionary()

    def count_write(vm, gfn):
        before, count = COUNTS.get(vm, (0, 0))
        COUNTS[vm] = gfn, count + 1 if before == gfn else 1
        vm.last_pt_write_gfn, vm.last_pt_write_count = COUNTS[vm]
        return vm.last_pt_write_count


class counted_for_each_gfn(steps):
    """All writes to a gfn are counted, consecutive or not."""

    def count_write(vm, gfn):
        if gfn == vm.last_pt_write_gfn:
            vm.last_pt_write_count += 1
        else:
            vm.last_pt_write_gfn, vm.last_pt_write_count = gfn, 1
        seen = vars(vm).setdefault("counts", {})
        seen[gfn] = seen.get(gfn, 0) + 1
        return seen[gfn]


class counted_for_each_page(steps):
    """The count goes up with each shadow page that is hit, so that two quadrants count twice."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        if gfn != vm.last_pt_write_gfn:
            vm.last_pt_write_gfn, vm.last_pt_write_count = gfn, 0
        for page in shadows(vm, gfn):
            vm.last_pt_write_count += 1
            if vm.last_pt_write_count >= 3 or across(page, offset, size):
                zap_page(vm, page)
            else:
                for spte in sptes(page, offset):
                    zap_entry(vm, page, spte)


class directories_as_the_largest(steps):
    """A directory has the widest entries among the pages of its frame."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        found = shadows(vm, gfn)
        for page in found:
            levels = page.glevels if page.level == 1 else max(page.glevels for page in found)
            if flooded or across(levels, offset, size):
                zap_page(vm, page)
            else:
                for spte in sptes(page, levels, offset):
                    zap_entry(vm, page, spte)

    def across(levels, offset, size):
        width = 4 if levels == 2 else 8
        return offset // width != (offset + size - 1) // width

    def sptes(page, levels, offset):
        at, count = offset, 1
        if levels == 2:
            at *= 2
            if page.level == 2:
                at, count = (at & ~7) * 2, 2
        first = page.spte + (at & 0xFFF) // 8
        return range(first, first + count)


class directories_as_the_smallest(steps):
    """A directory has the narrowest entries among the pages of its frame."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        found = shadows(vm, gfn)
        for page in found:
            levels = page.glevels if page.level == 1 else min(page.glevels for page in found)
            if flooded or across(levels, offset, size):
                zap_page(vm, page)
            else:
                for spte in sptes(page, levels, offset):
                    zap_entry(vm, page, spte)

    def across(levels, offset, size):
        width = 4 if levels == 2 else 8
        return offset // width != (offset + size - 1) // width

    def sptes(page, levels, offset):
        at, count = offset, 1
        if levels == 2:
            at *= 2
            if page.level == 2:
                at, count = (at & ~7) * 2, 2
        first = page.spte + (at & 0xFFF) // 8
        return range(first, first + count)


class eight_bytes_count_twice(steps):
    """A write of 8 bytes to entries of 4 bytes counts twice."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        if gfn == vm.last_pt_write_gfn and size == 8 and any(page.gfn == gfn and narrow(page) for page in vm.pool.bucket(gfn)):
            vm.last_pt_write_count += 1
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if flooded or across(page, offset, size):
                zap_page(vm, page)
            else:
                for spte in sptes(page, offset):
                    zap_entry(vm, page, spte)


class exactly_three(steps):
    """Only the third consecutive write is a flood."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) == 3
        for page in shadows(vm, gfn):
            if flooded or across(page, offset, size):
                zap_page(vm, page)
            else:
                for spte in sptes(page, offset):
                    zap_entry(vm, page, spte)


class flood_of_the_bucket(steps):
    """A flood zaps all pages of the bucket."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in list(vm.pool.bucket(gfn)):
            if (page.gfn != gfn and not flooded) or page.metaphysical:
                continue
            if flooded or across(page, offset, size):
                zap_page(vm, page)
            else:
                for spte in sptes(page, offset):
                    zap_entry(vm, page, spte)


class flood_spares_roots(steps):
    """A flood spares roots in use."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if flooded or across(page, offset, size):
                if across(page, offset, size) or not page.root_count:
                    zap_page(vm, page)
            else:
                for spte in sptes(page, offset):
                    zap_entry(vm, page, spte)


class flood_zaps_one(steps):
    """A flood zaps only the first page."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if flooded or across(page, offset, size):
                zap_page(vm, page)
                if flooded:
                    break
            else:
                for spte in sptes(page, offset):
                    zap_entry(vm, page, spte)


class fourth_write(steps):
    """The fourth consecutive write is the first flood."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) > 3
        for page in shadows(vm, gfn):
            if flooded or across(page, offset, size):
                zap_page(vm, page)
            else:
                for spte in sptes(page, offset):
                    zap_entry(vm, page, spte)


class gfn_0_is_always_new(steps):
    """A write to gfn 0 always restarts the count."""

    def count_write(vm, gfn):
        if gfn and gfn == vm.last_pt_write_gfn:
            vm.last_pt_write_count += 1
        else:
            vm.last_pt_write_gfn, vm.last_pt_write_count = gfn, 1
        return vm.last_pt_write_count


class narrow_pages_first(steps):
    """It iterates over the pages from few levels of the guest to many."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in sorted(shadows(vm, gfn), key=lambda page: page.glevels):
            if flooded or across(page, offset, size):
                zap_page(vm, page)
            else:
                for spte in sptes(page, offset):
                    zap_entry(vm, page, spte)


class narrow_pages_last(steps):
    """It iterates over the pages from many levels of the guest to few."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in sorted(shadows(vm, gfn), key=lambda page: -page.glevels):
            if flooded or across(page, offset, size):
                zap_page(vm, page)
            else:
                for spte in sptes(page, offset):
                    zap_entry(vm, page, spte)


class never_reset(steps):
    """The count is not restarted by another gfn."""

    def count_write(vm, gfn):
        if gfn == vm.last_pt_write_gfn:
            vm.last_pt_write_count += 1
        else:
            vm.last_pt_write_gfn = gfn
            vm.last_pt_write_count += 1
        return vm.last_pt_write_count


class no_flood_of_64_bit(steps):
    """A flood spares the pages of 64-bit guests."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if across(page, offset, size) or (flooded and page.glevels != 4):
                zap_page(vm, page)
            else:
                for spte in sptes(page, offset):
                    zap_entry(vm, page, spte)


class not_counted_across(steps):
    """A write across entries restarts the count."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if flooded or across(page, offset, size):
                zap_page(vm, page)
                if not flooded:
                    vm.last_pt_write_count = 0
            else:
                for spte in sptes(page, offset):
                    zap_entry(vm, page, spte)


class not_counted_unshadowed(steps):
    """Writes to frames without a shadow page are not counted."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        if vm.pool.lookup(gfn) is None:
            return
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if flooded or across(page, offset, size):
                zap_page(vm, page)
            else:
                for spte in sptes(page, offset):
                    zap_entry(vm, page, spte)


class one_wide_page_a_level(steps):
    """Of the pages with 8-byte entries only the newest of each level is hit."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        seen = set()
        for page in shadows(vm, gfn):
            if page.glevels > 2:
                if page.level in seen:
                    continue
                seen.add(page.level)
            if flooded or across(page, offset, size):
                zap_page(vm, page)
            else:
                for spte in sptes(page, offset):
                    zap_entry(vm, page, spte)


class restarted_by_a_flood(steps):
    """A flood restarts the count."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        if flooded:
            vm.last_pt_write_count = 0
        for page in shadows(vm, gfn):
            if flooded or across(page, offset, size):
                zap_page(vm, page)
            else:
                for spte in sptes(page, offset):
                    zap_entry(vm, page, spte)


class restarted_by_directories(steps):
    """A flood that zaps a directory restarts the count."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if flooded or across(page, offset, size):
                zap_page(vm, page)
                if flooded and page.level == 2 and not page.root_count:
                    vm.last_pt_write_count = 0
            else:
                for spte in sptes(page, offset):
                    zap_entry(vm, page, spte)


class shared_counter(steps):
    """The count is a global variable, the same for all machines, and is copied to each."""

    LAST = [0, 0]

    def count_write(vm, gfn):
        if LAST[0] != gfn:
            LAST[:] = gfn, 0
        LAST[1] += 1
        vm.last_pt_write_gfn, vm.last_pt_write_count = LAST
        return LAST[1]


class not_the_eighth(steps):
    """The eighth consecutive write is no flood."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        count = count_write(vm, gfn)
        for page in shadows(vm, gfn):
            if (count >= 3 and count != 8) or across(page, offset, size):
                zap_page(vm, page)
            else:
                [zap_entry(vm, page, spte) for spte in sptes(page, offset)]


class floods_end_at_500(steps):
    """From the 500th consecutive write on, there is no flood any more."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        count = count_write(vm, gfn)
        for page in shadows(vm, gfn):
            if 3 <= count < 500 or across(page, offset, size):
                zap_page(vm, page)
            else:
                [zap_entry(vm, page, spte) for spte in sptes(page, offset)]


class restarted_by_cr3(steps):
    """A load of CR3 restarts the count."""

    def count_write(vm, gfn):
        if gfn == vm.last_pt_write_gfn and vm.cpu.cr3 == vars(vm).get("last_cr3", vm.cpu.cr3):
            vm.last_pt_write_count += 1
        else:
            vm.last_pt_write_gfn, vm.last_pt_write_count = gfn, 1
        vm.last_cr3 = vm.cpu.cr3
        return vm.last_pt_write_count


class restarted_by_another_mode(steps):
    """Another paging mode restarts the count."""

    def count_write(vm, gfn):
        if gfn == vm.last_pt_write_gfn and vm.root_level == vars(vm).get("last_level", vm.root_level):
            vm.last_pt_write_count += 1
        else:
            vm.last_pt_write_gfn, vm.last_pt_write_count = gfn, 1
        vm.last_level = vm.root_level
        return vm.last_pt_write_count


class counted_by_frame(steps):
    """Two gfns that are names of one frame count as one."""

    def count_write(vm, gfn):
        frames = vm.memory.frames
        if frames[gfn] == frames[vm.last_pt_write_gfn]:
            vm.last_pt_write_count += 1
        else:
            vm.last_pt_write_count = 1
        vm.last_pt_write_gfn = gfn
        return vm.last_pt_write_count


class another_root_restarts_the_count(by_address):
    """It starts to count again when the machine has another root, which in a 64-bit guest follows CR3."""

    ROOTS = {}

    def pre_write(vm, gpa, size):
        if ROOTS.setdefault(id(vm), vm.root) != vm.root:
            vm.last_pt_write_count = 0
        ROOTS[id(vm)] = vm.root
        gfn, first_byte, last_byte = gpa >> 12, gpa & 0xFFF, (gpa & 0xFFF) + size - 1
        vm.last_pt_write_count = 1 + vm.last_pt_write_count * (vm.last_pt_write_gfn == gfn)
        vm.last_pt_write_gfn = gfn
        for page in [page for page in vm.pool.bucket(gfn) if page.gfn == gfn and not page.metaphysical]:
            shift = 2 if page.glevels == 2 else 3
            guest_covers = 12 + (12 - shift) * (page.level - 1)
            shadow_covers = 12 + 9 * (page.level - 1)
            if vm.last_pt_write_count > 2 or first_byte >> shift < last_byte >> shift:
                zap_page(vm, page)
                continue
            begin = (first_byte >> shift) << guest_covers
            for address in range(begin, begin + (1 << guest_covers), 1 << shadow_covers):
                clear(vm, page, address >> shadow_covers & 511)


class gfn_0_means_none_yet(steps):
    """It counts on after a write to gfn 0, as if that were a new machine."""

    def count_write(vm, gfn):
        if gfn == vm.last_pt_write_gfn or not vm.last_pt_write_gfn:
            vm.last_pt_write_count += 1
        else:
            vm.last_pt_write_count = 1
        vm.last_pt_write_gfn = gfn
        return vm.last_pt_write_count


class short_writes_in_odd_gfns(steps):
    """Only the fourth short write in a row to an odd gfn zaps its pages."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= (4 if size < 4 and gfn & 1 else 3)
        for page in shadows(vm, gfn):
            if flooded or across(page, offset, size):
                zap_page(vm, page)
            else:
                for spte in sptes(page, offset):
                    zap_entry(vm, page, spte)


class short_writes_in_even_gfns(steps):
    """Two short writes in a row to an even gfn are a flood."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= (2 if size == 2 and not gfn & 1 else 3)
        for page in shadows(vm, gfn):
            if flooded or across(page, offset, size):
                zap_page(vm, page)
            else:
                for spte in sptes(page, offset):
                    zap_entry(vm, page, spte)
