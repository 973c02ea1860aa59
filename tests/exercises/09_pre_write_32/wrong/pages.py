# SPDX-License-Identifier: GPL-2.0-only


class count_stays_two(by_index):
    """The number of sptes is set to 2 by a directory and stays for the pages after it."""

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
        count = 1
        for page in list(vm.pool.bucket(gfn)):
            if page.gfn != gfn or page.metaphysical:
                continue
            narrow = page.glevels == 2
            entry_size = 4 if narrow else 8
            across = offset // entry_size != (offset + size - 1) // entry_size
            if flooded or across:
                zap_page(vm, page)
                continue
            at = offset
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


class first_page_only(by_index):
    """Only the first shadow page of the gfn is hit."""

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
            break


class gfn_of_20_bits(by_index):
    """Only 20 bits of a gfn are compared."""

    def child(vm, entry):
        return vm.pool.pages[((entry & BASE_MASK) >> PAGE_SHIFT) - FIRST_SHADOW]

    def pre_write(vm, gpa, size):
        gfn = (gpa >> 12) & 0xfffff
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
                        vm.rmap.remove(spte)
                    else:
                        vm.parents.remove(child(vm, entry), spte)
                vm.memory.put(spte, 0, ev.ZAP_SPTE)


class large_pages_hit(by_index):
    """Only the pages from before paging are taken for metaphysical; those of large pages are hit."""

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
            if page.gfn != gfn or page.glevels == 0:
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


class last_entry_spared(by_index):
    """A page of quadrant 3 is spared by the last entry of quadrant 0."""

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
            q = off * 2 // 4096 if page.level == 1 else off * 4 // 4096
            if esize == 4 and (page.level == 2 and page.quadrant == 3 and q == 0 and off >= 1020):
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


class last_pair_halved(by_index):
    """The last entry of the first quadrant has one spte only."""

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
                    n = 2 if off // 4 != 255 else 1
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


class level_of_the_newest(by_index):
    """The newest page's level is taken for that of all."""

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
            narrow = page.glevels == 2
            entry_size = 4 if narrow else 8
            across = offset // entry_size != (offset + size - 1) // entry_size
            if flooded or across:
                zap_page(vm, page)
                continue
            at, count = offset, 1
            if narrow:
                at *= 2
                if newest.level == 2:
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


class metaphysical_entries_hit(by_index):
    """Metaphysical pages are hit by writes of one entry."""

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
            if page.gfn != gfn or (page.metaphysical and (flood or size >= 4)):
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
                        vm.rmap.remove(spte)
                    else:
                        vm.parents.remove(child(vm, entry), spte)
                vm.memory.put(spte, 0, ev.ZAP_SPTE)


class metaphysical_hit(by_index):
    """Metaphysical pages of the same gfn are hit, too."""

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
            if page.gfn != gfn:
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


class metaphysical_hit_in_part(by_index):
    """Metaphysical pages are hit by small writes."""

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
            if page.gfn != gfn or (page.metaphysical and (flood or size >= 4 or off // 8 != (off + size - 1) // 8)):
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
                        vm.rmap.remove(spte)
                    else:
                        vm.parents.remove(child(vm, entry), spte)
                vm.memory.put(spte, 0, ev.ZAP_SPTE)


class metaphysical_roots_hit(by_index):
    """Metaphysical pages are hit if they are roots."""

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
            if page.gfn != gfn or (page.metaphysical and not page.root_count):
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
                        vm.rmap.remove(spte)
                    else:
                        vm.parents.remove(child(vm, entry), spte)
                vm.memory.put(spte, 0, ev.ZAP_SPTE)


class offset_grows_on(by_index):
    """The offset is doubled in place, once more for each page of the bucket."""

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
            count = 1
            if narrow:
                offset *= 2
                if page.level == 2:
                    offset = (offset & ~7) * 2
                    count = 2
            first = page.spte + (offset & 0xFFF) // 8
            for spte in range(first, first + count):
                entry = vm.memory.words[spte]
                if entry & PRESENT:
                    if page.level == 1:
                        vm.rmap.remove(spte)
                    else:
                        vm.parents.remove(child(vm, entry), spte)
                vm.memory.put(spte, 0, ev.ZAP_SPTE)


class one_level_only(by_index):
    """Of a frame that is directory and page table only the directory is hit."""

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
        found = [page for page in vm.pool.bucket(gfn) if page.gfn == gfn]
        for page in [page for page in found if page.level == 2] or found:
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


class own_quadrant_of_directories(by_index):
    """Of directories only the quadrant that shadows the written entry is hit."""

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
            if narrow and page.level == 2 and page.quadrant != offset >> 10:
                continue
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


class own_quadrant_of_page_tables(by_index):
    """Of page tables only the quadrant that shadows the written entry is hit."""

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
            if narrow and page.level == 1 and page.quadrant != offset >> 11:
                continue
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


class own_quadrant_only(by_index):
    """Only the quadrant that shadows the written entry is hit."""

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
            index = offset // 4
            if narrow and page.quadrant != (index >> 9 if page.level == 1 else index >> 8):
                continue
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


class quadrant_0_only(by_index):
    """Only quadrant 0 is hit, and a quadrant that holds the entry."""

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
            index = offset // 4
            if narrow and page.quadrant not in (0, index >> 9 if page.level == 1 else index >> 8):
                continue
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


class whole_bucket(by_index):
    """All pages of the bucket are hit, whatever their gfn."""

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
            if page.metaphysical:
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
