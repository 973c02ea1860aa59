# SPDX-License-Identifier: GPL-2.0-only


class always_8_bytes(by_index):
    """All entries are taken to have 8 bytes."""

    def child(vm, entry):
        return vm.pool.pages[((entry & BASE_MASK) >> PAGE_SHIFT) - FIRST_SHADOW]

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        if gfn == vm.last_pt_write_gfn:
            vm.last_pt_write_count += 1
        else:
            vm.last_pt_write_gfn = gfn
            vm.last_pt_write_count = 1
        flooded = vm.last_pt_write_count >= 3
        for page in list(vm.pool.bucket(gfn)):
            if page.gfn != gfn or page.metaphysical:
                continue
            narrow = False
            entry_size = 4 if narrow else 8
            across = offset // entry_size != (offset + size - 1) // entry_size
            if flooded or across:
                zap_page(vm, page)
                continue
            at, count = offset, 1
            if narrow:
                at *= 2
                if page.level == 2:
                    at = (at & ~7) * 2
                    count = 2
            first = page.spte + (at & 0xFFF) // 8
            for spte in range(first, first + count):
                entry = vm.memory.words[spte]
                if entry & PRESENT:
                    if page.level == 1:
                        vm.rmap.remove(spte)
                    else:
                        vm.parents.remove(child(vm, entry), spte)
                vm.memory.put(spte, 0, ev.ZAP_SPTE)


class always_the_whole_page(by_index):
    """Each write to a table of 4-byte entries zaps the page."""

    def child(vm, entry):
        return vm.pool.pages[((entry & BASE_MASK) >> PAGE_SHIFT) - FIRST_SHADOW]

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        if gfn == vm.last_pt_write_gfn:
            vm.last_pt_write_count += 1
        else:
            vm.last_pt_write_gfn = gfn
            vm.last_pt_write_count = 1
        flooded = vm.last_pt_write_count >= 3
        for page in list(vm.pool.bucket(gfn)):
            if page.gfn != gfn or page.metaphysical:
                continue
            narrow = page.glevels == 2
            entry_size = 4 if narrow else 8
            across = offset // entry_size != (offset + size - 1) // entry_size
            if flooded or across or narrow:
                zap_page(vm, page)
                continue
            at, count = offset, 1
            if narrow:
                at *= 2
                if page.level == 2:
                    at = (at & ~7) * 2
                    count = 2
            first = page.spte + (at & 0xFFF) // 8
            for spte in range(first, first + count):
                entry = vm.memory.words[spte]
                if entry & PRESENT:
                    if page.level == 1:
                        vm.rmap.remove(spte)
                    else:
                        vm.parents.remove(child(vm, entry), spte)
                vm.memory.put(spte, 0, ev.ZAP_SPTE)


class clean_entries_kept(by_index):
    """Only dirty entries leave their reverse map."""

    def child(vm, entry):
        return vm.pool.pages[((entry & BASE_MASK) >> PAGE_SHIFT) - FIRST_SHADOW]

    def pre_write(vm, gpa, size):
        gfn = gpa >> 12
        off = gpa & 4095
        if gfn == vm.last_pt_write_gfn:
            vm.last_pt_write_count += 1
        else:
            vm.last_pt_write_gfn = gfn
            vm.last_pt_write_count = 1
        flood = vm.last_pt_write_count >= 3
        for page in list(vm.pool.bucket(gfn)):
            if page.gfn != gfn or page.metaphysical:
                continue
            gl = page.glevels
            esize = 4 if gl == 2 else 8
            across = off // esize != (off + size - 1) // esize
            if flood or across:
                zap_page(vm, page)
                continue
            at, n = off, 1
            if esize == 4:
                at = off * 2
                if page.level == 2:
                    at = (at & ~7) * 2
                    n = 2
            at &= 4095
            for k in range(n):
                spte = page.spte + at // 8 + k
                entry = vm.memory.words[spte]
                if entry & PRESENT:
                    if page.level == 1:
                        if entry & 0x40:
                            vm.rmap.remove(spte)
                    else:
                        vm.parents.remove(child(vm, entry), spte)
                vm.memory.put(spte, 0, ev.ZAP_SPTE)


class everything_doubled_twice(by_index):
    """Page tables are doubled twice, like directories."""

    def child(vm, entry):
        return vm.pool.pages[((entry & BASE_MASK) >> PAGE_SHIFT) - FIRST_SHADOW]

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        if gfn == vm.last_pt_write_gfn:
            vm.last_pt_write_count += 1
        else:
            vm.last_pt_write_gfn = gfn
            vm.last_pt_write_count = 1
        flooded = vm.last_pt_write_count >= 3
        for page in list(vm.pool.bucket(gfn)):
            if page.gfn != gfn or page.metaphysical:
                continue
            narrow = page.glevels == 2
            entry_size = 4 if narrow else 8
            across = offset // entry_size != (offset + size - 1) // entry_size
            if flooded or across:
                zap_page(vm, page)
                continue
            at, count = offset, 1
            if narrow:
                at *= 2
                at = (at & ~7) * 2
                if page.level == 2:
                    count = 2
            first = page.spte + (at & 0xFFF) // 8
            for spte in range(first, first + count):
                entry = vm.memory.words[spte]
                if entry & PRESENT:
                    if page.level == 1:
                        vm.rmap.remove(spte)
                    else:
                        vm.parents.remove(child(vm, entry), spte)
                vm.memory.put(spte, 0, ev.ZAP_SPTE)


class flushes(by_index):
    """The TLB is flushed after each entry."""

    def child(vm, entry):
        return vm.pool.pages[((entry & BASE_MASK) >> PAGE_SHIFT) - FIRST_SHADOW]

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        if gfn == vm.last_pt_write_gfn:
            vm.last_pt_write_count += 1
        else:
            vm.last_pt_write_gfn = gfn
            vm.last_pt_write_count = 1
        flooded = vm.last_pt_write_count >= 3
        for page in list(vm.pool.bucket(gfn)):
            if page.gfn != gfn or page.metaphysical:
                continue
            narrow = page.glevels == 2
            entry_size = 4 if narrow else 8
            across = offset // entry_size != (offset + size - 1) // entry_size
            if flooded or across:
                zap_page(vm, page)
                continue
            at, count = offset, 1
            if narrow:
                at *= 2
                if page.level == 2:
                    at = (at & ~7) * 2
                    count = 2
            first = page.spte + (at & 0xFFF) // 8
            for spte in range(first, first + count):
                entry = vm.memory.words[spte]
                if entry & PRESENT:
                    if page.level == 1:
                        vm.rmap.remove(spte)
                    else:
                        vm.parents.remove(child(vm, entry), spte)
                vm.memory.put(spte, 0, ev.ZAP_SPTE)
                vm.flush_tlb()


class index_9_bits_of_the_offset(by_index):
    """An entry's number is its offset divided by 8, cut to 9 bits and doubled."""

    def child(vm, entry):
        return vm.pool.pages[((entry & BASE_MASK) >> PAGE_SHIFT) - FIRST_SHADOW]

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        if gfn == vm.last_pt_write_gfn:
            vm.last_pt_write_count += 1
        else:
            vm.last_pt_write_gfn = gfn
            vm.last_pt_write_count = 1
        flooded = vm.last_pt_write_count >= 3
        for page in list(vm.pool.bucket(gfn)):
            if page.gfn != gfn or page.metaphysical:
                continue
            narrow = page.glevels == 2
            entry_size = 4 if narrow else 8
            across = offset // entry_size != (offset + size - 1) // entry_size
            if flooded or across:
                zap_page(vm, page)
                continue
            index = offset // 8
            count = 1
            if narrow:
                index = index * 2
                if page.level == 2:
                    index *= 2
                    count = 2
            first = page.spte + index % 512
            for spte in range(first, first + count):
                entry = vm.memory.words[spte]
                if entry & PRESENT:
                    if page.level == 1:
                        vm.rmap.remove(spte)
                    else:
                        vm.parents.remove(child(vm, entry), spte)
                vm.memory.put(spte, 0, ev.ZAP_SPTE)


class io_marks_left(by_index):
    """What isn't present is left as it is."""

    def child(vm, entry):
        return vm.pool.pages[((entry & BASE_MASK) >> PAGE_SHIFT) - FIRST_SHADOW]

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        if gfn == vm.last_pt_write_gfn:
            vm.last_pt_write_count += 1
        else:
            vm.last_pt_write_gfn = gfn
            vm.last_pt_write_count = 1
        flooded = vm.last_pt_write_count >= 3
        for page in list(vm.pool.bucket(gfn)):
            if page.gfn != gfn or page.metaphysical:
                continue
            narrow = page.glevels == 2
            entry_size = 4 if narrow else 8
            across = offset // entry_size != (offset + size - 1) // entry_size
            if flooded or across:
                zap_page(vm, page)
                continue
            at, count = offset, 1
            if narrow:
                at *= 2
                if page.level == 2:
                    at = (at & ~7) * 2
                    count = 2
            first = page.spte + (at & 0xFFF) // 8
            for spte in range(first, first + count):
                entry = vm.memory.words[spte]
                if not entry & PRESENT:
                    continue
                if entry & PRESENT:
                    if page.level == 1:
                        vm.rmap.remove(spte)
                    else:
                        vm.parents.remove(child(vm, entry), spte)
                vm.memory.put(spte, 0, ev.ZAP_SPTE)


class mask_before_doubling(by_index):
    """The offset is cut to half a page before it is doubled, and directories to half a page, too."""

    def child(vm, entry):
        return vm.pool.pages[((entry & BASE_MASK) >> PAGE_SHIFT) - FIRST_SHADOW]

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        if gfn == vm.last_pt_write_gfn:
            vm.last_pt_write_count += 1
        else:
            vm.last_pt_write_gfn = gfn
            vm.last_pt_write_count = 1
        flooded = vm.last_pt_write_count >= 3
        for page in list(vm.pool.bucket(gfn)):
            if page.gfn != gfn or page.metaphysical:
                continue
            narrow = page.glevels == 2
            entry_size = 4 if narrow else 8
            across = offset // entry_size != (offset + size - 1) // entry_size
            if flooded or across:
                zap_page(vm, page)
                continue
            at, count = offset, 1
            if narrow:
                at = (at & 0x7FF) * 2
                if page.level == 2:
                    at = (at & ~7 & 0x7FF) * 2
                    count = 2
            first = page.spte + at // 8 + (1 if page.level == 1 and offset >= 0x800 else 0)
            for spte in range(first, first + count):
                entry = vm.memory.words[spte]
                if entry & PRESENT:
                    if page.level == 1:
                        vm.rmap.remove(spte)
                    else:
                        vm.parents.remove(child(vm, entry), spte)
                vm.memory.put(spte, 0, ev.ZAP_SPTE)


class natural_alignment(by_index):
    """A write that isn't aligned to its own size zaps the page, and no other does."""

    def child(vm, entry):
        return vm.pool.pages[((entry & BASE_MASK) >> PAGE_SHIFT) - FIRST_SHADOW]

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        if gfn == vm.last_pt_write_gfn:
            vm.last_pt_write_count += 1
        else:
            vm.last_pt_write_gfn = gfn
            vm.last_pt_write_count = 1
        flooded = vm.last_pt_write_count >= 3
        for page in list(vm.pool.bucket(gfn)):
            if page.gfn != gfn or page.metaphysical:
                continue
            narrow = page.glevels == 2
            entry_size = 4 if narrow else 8
            across = offset % size != 0 or size > entry_size
            if flooded or across:
                zap_page(vm, page)
                continue
            at, count = offset, 1
            if narrow:
                at *= 2
                if page.level == 2:
                    at = (at & ~7) * 2
                    count = 2
            first = page.spte + (at & 0xFFF) // 8
            for spte in range(first, first + count):
                entry = vm.memory.words[spte]
                if entry & PRESENT:
                    if page.level == 1:
                        vm.rmap.remove(spte)
                    else:
                        vm.parents.remove(child(vm, entry), spte)
                vm.memory.put(spte, 0, ev.ZAP_SPTE)


class no_mask(by_index):
    """The doubled offset isn't taken modulo 4096, so the second quadrant lies behind the page."""

    def child(vm, entry):
        return vm.pool.pages[((entry & BASE_MASK) >> PAGE_SHIFT) - FIRST_SHADOW]

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        if gfn == vm.last_pt_write_gfn:
            vm.last_pt_write_count += 1
        else:
            vm.last_pt_write_gfn = gfn
            vm.last_pt_write_count = 1
        flooded = vm.last_pt_write_count >= 3
        for page in list(vm.pool.bucket(gfn)):
            if page.gfn != gfn or page.metaphysical:
                continue
            narrow = page.glevels == 2
            entry_size = 4 if narrow else 8
            across = offset // entry_size != (offset + size - 1) // entry_size
            if flooded or across:
                zap_page(vm, page)
                continue
            at, count = offset, 1
            if narrow:
                at *= 2
                if page.level == 2:
                    at = (at & ~7) * 2
                    count = 2
            first = page.spte + at // 8
            for spte in range(first, first + count):
                entry = vm.memory.words[spte]
                if entry & PRESENT:
                    if page.level == 1:
                        vm.rmap.remove(spte)
                    else:
                        vm.parents.remove(child(vm, entry), spte)
                vm.memory.put(spte, 0, ev.ZAP_SPTE)


class no_rmap_removal(by_index):
    """The entry is zeroed, but stays in the reverse map."""

    def child(vm, entry):
        return vm.pool.pages[((entry & BASE_MASK) >> PAGE_SHIFT) - FIRST_SHADOW]

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        if gfn == vm.last_pt_write_gfn:
            vm.last_pt_write_count += 1
        else:
            vm.last_pt_write_gfn = gfn
            vm.last_pt_write_count = 1
        flooded = vm.last_pt_write_count >= 3
        for page in list(vm.pool.bucket(gfn)):
            if page.gfn != gfn or page.metaphysical:
                continue
            narrow = page.glevels == 2
            entry_size = 4 if narrow else 8
            across = offset // entry_size != (offset + size - 1) // entry_size
            if flooded or across:
                zap_page(vm, page)
                continue
            at, count = offset, 1
            if narrow:
                at *= 2
                if page.level == 2:
                    at = (at & ~7) * 2
                    count = 2
            first = page.spte + (at & 0xFFF) // 8
            for spte in range(first, first + count):
                entry = vm.memory.words[spte]
                if entry & PRESENT and page.level > 1:
                    vm.parents.remove(child(vm, entry), spte)
                vm.memory.put(spte, 0, ev.ZAP_SPTE)


class not_doubled(by_index):
    """Offsets of 4-byte entries aren't doubled."""

    def child(vm, entry):
        return vm.pool.pages[((entry & BASE_MASK) >> PAGE_SHIFT) - FIRST_SHADOW]

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        if gfn == vm.last_pt_write_gfn:
            vm.last_pt_write_count += 1
        else:
            vm.last_pt_write_gfn = gfn
            vm.last_pt_write_count = 1
        flooded = vm.last_pt_write_count >= 3
        for page in list(vm.pool.bucket(gfn)):
            if page.gfn != gfn or page.metaphysical:
                continue
            narrow = page.glevels == 2
            entry_size = 4 if narrow else 8
            across = offset // entry_size != (offset + size - 1) // entry_size
            if flooded or across:
                zap_page(vm, page)
                continue
            at, count = offset, 1
            if narrow and page.level == 2:
                at = (at & ~3) * 4
                count = 2
            first = page.spte + (at & 0xFFF) // 8
            for spte in range(first, first + count):
                entry = vm.memory.words[spte]
                if entry & PRESENT:
                    if page.level == 1:
                        vm.rmap.remove(spte)
                    else:
                        vm.parents.remove(child(vm, entry), spte)
                vm.memory.put(spte, 0, ev.ZAP_SPTE)


class only_a_right_half(by_index):
    """The second quadrant's pages are hit as if they began at entry 1."""

    def child(vm, entry):
        return vm.pool.pages[((entry & BASE_MASK) >> PAGE_SHIFT) - FIRST_SHADOW]

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        if gfn == vm.last_pt_write_gfn:
            vm.last_pt_write_count += 1
        else:
            vm.last_pt_write_gfn = gfn
            vm.last_pt_write_count = 1
        flooded = vm.last_pt_write_count >= 3
        for page in list(vm.pool.bucket(gfn)):
            if page.gfn != gfn or page.metaphysical:
                continue
            narrow = page.glevels == 2
            entry_size = 4 if narrow else 8
            across = offset // entry_size != (offset + size - 1) // entry_size
            if flooded or across:
                zap_page(vm, page)
                continue
            at, count = offset, 1
            if narrow:
                at *= 2
                if page.level == 2:
                    at = (at & ~7) * 2
                    count = 2
            first = page.spte + (at & 0xFFF) // 8 + (page.quadrant if page.level == 1 else 0)
            for spte in range(first, first + count):
                entry = vm.memory.words[spte]
                if entry & PRESENT:
                    if page.level == 1:
                        vm.rmap.remove(spte)
                    else:
                        vm.parents.remove(child(vm, entry), spte)
                vm.memory.put(spte, 0, ev.ZAP_SPTE)


class pairs_everywhere(by_index):
    """Entries of page tables are taken to have two sptes, too."""

    def child(vm, entry):
        return vm.pool.pages[((entry & BASE_MASK) >> PAGE_SHIFT) - FIRST_SHADOW]

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        if gfn == vm.last_pt_write_gfn:
            vm.last_pt_write_count += 1
        else:
            vm.last_pt_write_gfn = gfn
            vm.last_pt_write_count = 1
        flooded = vm.last_pt_write_count >= 3
        for page in list(vm.pool.bucket(gfn)):
            if page.gfn != gfn or page.metaphysical:
                continue
            narrow = page.glevels == 2
            entry_size = 4 if narrow else 8
            across = offset // entry_size != (offset + size - 1) // entry_size
            if flooded or across:
                zap_page(vm, page)
                continue
            at, count = offset, 1 + narrow
            if narrow:
                at *= 2
                if page.level == 2:
                    at = (at & ~7) * 2
            first = page.spte + (at & 0xFFF) // 8
            for spte in range(first, first + count):
                entry = vm.memory.words[spte]
                if entry & PRESENT:
                    if page.level == 1:
                        vm.rmap.remove(spte)
                    else:
                        vm.parents.remove(child(vm, entry), spte)
                vm.memory.put(spte, 0, ev.ZAP_SPTE)


class small_writes_are_across(by_index):
    """A write that isn't of a whole entry zaps the page."""

    def child(vm, entry):
        return vm.pool.pages[((entry & BASE_MASK) >> PAGE_SHIFT) - FIRST_SHADOW]

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        if gfn == vm.last_pt_write_gfn:
            vm.last_pt_write_count += 1
        else:
            vm.last_pt_write_gfn = gfn
            vm.last_pt_write_count = 1
        flooded = vm.last_pt_write_count >= 3
        for page in list(vm.pool.bucket(gfn)):
            if page.gfn != gfn or page.metaphysical:
                continue
            narrow = page.glevels == 2
            entry_size = 4 if narrow else 8
            across = size != entry_size or offset % entry_size != 0
            if flooded or across:
                zap_page(vm, page)
                continue
            at, count = offset, 1
            if narrow:
                at *= 2
                if page.level == 2:
                    at = (at & ~7) * 2
                    count = 2
            first = page.spte + (at & 0xFFF) // 8
            for spte in range(first, first + count):
                entry = vm.memory.words[spte]
                if entry & PRESENT:
                    if page.level == 1:
                        vm.rmap.remove(spte)
                    else:
                        vm.parents.remove(child(vm, entry), spte)
                vm.memory.put(spte, 0, ev.ZAP_SPTE)


class zeroed_before_rmap(by_index):
    """The entry is zeroed first, and then the reverse map can't find it any more."""

    def child(vm, entry):
        return vm.pool.pages[((entry & BASE_MASK) >> PAGE_SHIFT) - FIRST_SHADOW]

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        if gfn == vm.last_pt_write_gfn:
            vm.last_pt_write_count += 1
        else:
            vm.last_pt_write_gfn = gfn
            vm.last_pt_write_count = 1
        flooded = vm.last_pt_write_count >= 3
        for page in list(vm.pool.bucket(gfn)):
            if page.gfn != gfn or page.metaphysical:
                continue
            narrow = page.glevels == 2
            entry_size = 4 if narrow else 8
            across = offset // entry_size != (offset + size - 1) // entry_size
            if flooded or across:
                zap_page(vm, page)
                continue
            at, count = offset, 1
            if narrow:
                at *= 2
                if page.level == 2:
                    at = (at & ~7) * 2
                    count = 2
            first = page.spte + (at & 0xFFF) // 8
            for spte in range(first, first + count):
                entry = vm.memory.words[spte]
                vm.memory.put(spte, 0, ev.ZAP_SPTE)
                if entry & PRESENT:
                    if page.level == 1:
                        vm.rmap.remove(spte)
                    else:
                        vm.parents.remove(child(vm, entry), spte)
