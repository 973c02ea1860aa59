# SPDX-License-Identifier: GPL-2.0-only


class across_by_the_smallest(by_index):
    """Whether a write is across entries is asked of entries of 4 bytes if one page has them."""

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
        smallest = min([4 if page.glevels == 2 else 8 for page in vm.pool.bucket(gfn) if page.gfn == gfn], default=8)
        for page in list(vm.pool.bucket(gfn)):
            if page.gfn != gfn or page.metaphysical:
                continue
            narrow = page.glevels == 2
            across = offset // smallest != (offset + size - 1) // smallest
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


class across_in_64_bit_forgiven(by_index):
    """Writes across entries of 64-bit guests are taken as within one."""

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
            across = off // esize != (off + size - 1) // esize or (gl == 4 and size == 4 and off % 4 > 0)
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
                        vm.rmap.remove(spte)
                    else:
                        vm.parents.remove(child(vm, entry), spte)
                vm.memory.put(spte, 0, ev.ZAP_SPTE)


class always_4_bytes(by_index):
    """All entries are taken to have 4 bytes."""

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
            narrow = True
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


class directories_always_paired(by_index):
    """Directories of 8-byte entries are taken to have pairs, too."""

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


class flood_of_narrow_tables_only(by_index):
    """Only tables of 4-byte entries are zapped whole."""

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
            if narrow and (flooded or across):
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


class glevels_as_level(by_index):
    """The level of a page is taken for the levels of its guest."""

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
            narrow = page.level == 2 or page.glevels == 2
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


class mode_of_the_machine(by_index):
    """The entry size is that of the guest's mode of now and not that of each page."""

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
            narrow = vm.root_level == 2
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


class one_byte_over_forgiven(by_index):
    """Eight bytes that reach one byte into the next entry of 8 aren't taken as across."""

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
            across = off // esize != (off + size - 1 - (size == 8 == esize)) // esize
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
                        vm.rmap.remove(spte)
                    else:
                        vm.parents.remove(child(vm, entry), spte)
                vm.memory.put(spte, 0, ev.ZAP_SPTE)


class pae_as_4_bytes(by_index):
    """PAE guests are taken to have entries of 4 bytes."""

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
            narrow = page.glevels in (2, 3)
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


class pages_of_another_mode_passed_by(by_index):
    """Pages from before a switch of the mode are left alone."""

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
            if page.gfn != gfn or page.metaphysical or page.glevels != vm.root_level:
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


class size_of_the_newest(by_index):
    """The newest page's entry size is taken for that of all."""

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
        newest = vm.pool.lookup(gfn)
        for page in list(vm.pool.bucket(gfn)):
            if page.gfn != gfn or page.metaphysical:
                continue
            narrow = newest.glevels == 2
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


class two_sptes_always(by_index):
    """Two sptes go for every directory entry, in 8-byte tables as well."""

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


class upper_levels_as_leaves(by_index):
    """Only level 2 is taken to have children; those above it are treated as leaves."""

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
                    if page.level == 2:
                        vm.parents.remove(child(vm, entry), spte)
                    else:
                        vm.rmap.remove(spte)
                vm.memory.put(spte, 0, ev.ZAP_SPTE)


class wide_pages_passed_by(by_index):
    """Pages of 8-byte entries are left alone."""

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
            if page.gfn != gfn or page.metaphysical or page.glevels != 2:
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


class zaps_all_if_across_in_one(by_index):
    """If a write is across entries for one page, those after it are zapped, too."""

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
        across = False
        for page in list(vm.pool.bucket(gfn)):
            if page.gfn != gfn or page.metaphysical:
                continue
            narrow = page.glevels == 2
            entry_size = 4 if narrow else 8
            across = across or offset // entry_size != (offset + size - 1) // entry_size
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
