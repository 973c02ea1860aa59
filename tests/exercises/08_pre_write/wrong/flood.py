# SPDX-License-Identifier: GPL-2.0-only


class across_ends_the_count(steps):
    """A write across entries restarts the count."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if flooded or across(offset, size):
                if not flooded:
                    vm.last_pt_write_count = 0
                zap_page(vm, page)
            else:
                zap_entry(vm, page, page.spte + offset // 8)


class count_of_a_byte(steps):
    """The count has 8 bits."""

    def count_write(vm, gfn):
        if gfn == vm.last_pt_write_gfn:
            vm.last_pt_write_count = vm.last_pt_write_count + 1 & 255 or 256
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


class counted_by_entry(steps):
    """Only writes to the same entry are counted as consecutive."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        if offset // 8 != vars(vm).get("last_index"):
            vm.last_pt_write_count = 0
        vm.last_index = offset // 8
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if flooded or across(offset, size):
                zap_page(vm, page)
            else:
                zap_entry(vm, page, page.spte + offset // 8)


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
    """The count goes up with each shadow page that is hit."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        if gfn != vm.last_pt_write_gfn:
            vm.last_pt_write_gfn, vm.last_pt_write_count = gfn, 0
        for page in shadows(vm, gfn):
            vm.last_pt_write_count += 1
            if vm.last_pt_write_count >= 3 or across(offset, size):
                zap_page(vm, page)
            else:
                zap_entry(vm, page, page.spte + offset // 8)


class counted_last(steps):
    """The count goes up after it was read."""

    def count_write(vm, gfn):
        before = vm.last_pt_write_count if gfn == vm.last_pt_write_gfn else 0
        vm.last_pt_write_gfn, vm.last_pt_write_count = gfn, before + 1
        return before


class counter_of_its_own(steps):
    """The count is a global variable, the same for all machines, and is not written to the machine."""

    LAST = [0, 0]

    def count_write(vm, gfn):
        if LAST[0] != gfn:
            LAST[:] = gfn, 0
        LAST[1] += 1
        return LAST[1]


class every_third(steps):
    """Every third write is a flood, the fourth is not."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) % 3 == 0
        for page in shadows(vm, gfn):
            if flooded or across(offset, size):
                zap_page(vm, page)
            else:
                zap_entry(vm, page, page.spte + offset // 8)


class exactly_three(steps):
    """Only the third consecutive write is a flood."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) == 3
        for page in shadows(vm, gfn):
            if flooded or across(offset, size):
                zap_page(vm, page)
            else:
                zap_entry(vm, page, page.spte + offset // 8)


class flood_hits_metaphysical(steps):
    """A flood zaps metaphysical pages of the gfn as well."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in [page for page in vm.pool.bucket(gfn) if page.gfn == gfn]:
            if page.metaphysical and not flooded:
                continue
            if flooded or across(offset, size):
                zap_page(vm, page)
            else:
                zap_entry(vm, page, page.spte + offset // 8)


class flood_needs_an_entry(steps):
    """A flood zaps a page only if the written entry is not empty."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if flooded or across(offset, size):
                if across(offset, size) or vm.memory.words[page.spte + offset // 8]:
                    zap_page(vm, page)
            else:
                zap_entry(vm, page, page.spte + offset // 8)


class flood_of_page_tables_only(steps):
    """A flood zaps page tables, but no directories."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if across(offset, size) or (flooded and page.level == 1):
                zap_page(vm, page)
            else:
                zap_entry(vm, page, page.spte + offset // 8)


class flood_spares_roots(steps):
    """A flood spares roots in use."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if flooded or across(offset, size):
                if across(offset, size) or not page.root_count:
                    zap_page(vm, page)
            else:
                zap_entry(vm, page, page.spte + offset // 8)


class flood_zaps_one(steps):
    """A flood zaps only the first page."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if flooded or across(offset, size):
                zap_page(vm, page)
                if flooded:
                    break
            else:
                zap_entry(vm, page, page.spte + offset // 8)


class fourth_write(steps):
    """The fourth consecutive write is the first flood."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) > 3
        for page in shadows(vm, gfn):
            if flooded or across(offset, size):
                zap_page(vm, page)
            else:
                zap_entry(vm, page, page.spte + offset // 8)


class never_reset(steps):
    """The count is not restarted by another gfn."""

    def count_write(vm, gfn):
        if gfn == vm.last_pt_write_gfn:
            vm.last_pt_write_count += 1
        else:
            vm.last_pt_write_gfn = gfn
            vm.last_pt_write_count += 1
        return vm.last_pt_write_count


class not_counted_across(steps):
    """A write across entries is not counted."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        if gfn == vm.last_pt_write_gfn and across(offset, size):
            vm.last_pt_write_count -= 1
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if flooded or across(offset, size):
                zap_page(vm, page)
            else:
                zap_entry(vm, page, page.spte + offset // 8)


class not_counted_unshadowed(steps):
    """Writes to frames without a shadow page are not counted."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        if vm.pool.lookup(gfn) is None:
            return
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if flooded or across(offset, size):
                zap_page(vm, page)
            else:
                zap_entry(vm, page, page.spte + offset // 8)


class reset_to_zero(steps):
    """With another gfn the count begins at 0."""

    def count_write(vm, gfn):
        if gfn == vm.last_pt_write_gfn:
            vm.last_pt_write_count += 1
        else:
            vm.last_pt_write_gfn, vm.last_pt_write_count = gfn, 0
        return vm.last_pt_write_count


class restarted_by_a_flood(steps):
    """A flood restarts the count."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        if flooded:
            vm.last_pt_write_count = 0
        for page in shadows(vm, gfn):
            if flooded or across(offset, size):
                zap_page(vm, page)
            else:
                zap_entry(vm, page, page.spte + offset // 8)


class second_write(steps):
    """The second consecutive write is a flood."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 2
        for page in shadows(vm, gfn):
            if flooded or across(offset, size):
                zap_page(vm, page)
            else:
                zap_entry(vm, page, page.spte + offset // 8)


class shared_counter(steps):
    """The count is a global variable, the same for all machines, and is copied to each."""

    LAST = [0, 0]

    def count_write(vm, gfn):
        if LAST[0] != gfn:
            LAST[:] = gfn, 0
        LAST[1] += 1
        vm.last_pt_write_gfn, vm.last_pt_write_count = LAST
        return LAST[1]


class stops_at_three(steps):
    """The count does not go beyond 3."""

    def count_write(vm, gfn):
        if gfn == vm.last_pt_write_gfn:
            vm.last_pt_write_count = min(3, vm.last_pt_write_count + 1)
        else:
            vm.last_pt_write_gfn, vm.last_pt_write_count = gfn, 1
        return vm.last_pt_write_count


class zero_left_on_flood(steps):
    """A flood ends the count at once, and forgets the gfn."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        if flooded:
            vm.last_pt_write_gfn = 0
        for page in shadows(vm, gfn):
            if flooded or across(offset, size):
                zap_page(vm, page)
            else:
                zap_entry(vm, page, page.spte + offset // 8)


class not_the_eighth(steps):
    """The eighth consecutive write is no flood."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        count = count_write(vm, gfn)
        for page in shadows(vm, gfn):
            if (count >= 3 and count != 8) or across(offset, size):
                zap_page(vm, page)
            else:
                zap_entry(vm, page, page.spte + offset // 8)


class floods_end_at_500(steps):
    """From the 500th consecutive write on, there is no flood any more."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        count = count_write(vm, gfn)
        for page in shadows(vm, gfn):
            if 3 <= count < 500 or across(offset, size):
                zap_page(vm, page)
            else:
                zap_entry(vm, page, page.spte + offset // 8)


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
    """Two short writes in a row to an odd gfn are a flood."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= (2 if size < 4 and gfn & 1 else 3)
        for page in shadows(vm, gfn):
            if flooded or across(offset, size):
                zap_page(vm, page)
            else:
                zap_entry(vm, page, page.spte + offset // 8)


class bytes_in_even_gfns(steps):
    """Only the fourth write of one byte in a row to an even gfn zaps its pages."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= (4 if size == 1 and not gfn & 1 else 3)
        for page in shadows(vm, gfn):
            if flooded or across(offset, size):
                zap_page(vm, page)
            else:
                zap_entry(vm, page, page.spte + offset // 8)
