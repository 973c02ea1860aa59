# SPDX-License-Identifier: GPL-2.0-only


class children_zapped(by_index):
    """The children of the pair are zapped."""

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
                        zap_page(vm, child(vm, entry))
                vm.memory.put(spte, 0, ev.ZAP_SPTE)


class directories_doubled_once(by_index):
    """A directory's offset is doubled once, as a page table's."""

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


class doubled_four_times(by_index):
    """A directory's offset is doubled three times."""

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
                    at = (at & ~7) * 4
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


class entry_of_the_first(by_index):
    """The first spte's entry is taken for both of the pair."""

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
            entry = vm.memory.words[first]
            for spte in range(first, first + count):
                if entry & PRESENT:
                    if page.level == 1:
                        vm.rmap.remove(spte)
                    else:
                        vm.parents.remove(child(vm, entry), spte)
                vm.memory.put(spte, 0, ev.ZAP_SPTE)


class first_parent_for_both(by_index):
    """The first of the pair is removed from the parents twice."""

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
                        vm.parents.remove(child(vm, entry), first)
                vm.memory.put(spte, 0, ev.ZAP_SPTE)


class four_of_them(by_index):
    """Four sptes go for each directory entry."""

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
                    count = 4
            first = page.spte + (at & 0xFFF) // 8
            for spte in range(first, first + count):
                entry = vm.memory.words[spte]
                if entry & PRESENT:
                    if page.level == 1:
                        vm.rmap.remove(spte)
                    else:
                        vm.parents.remove(child(vm, entry), spte)
                vm.memory.put(spte, 0, ev.ZAP_SPTE)


class live_roots_spared(by_index):
    """A root in use is left alone; in these guests the directory is one."""

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
            if page.gfn != gfn or page.metaphysical or page.root_count:
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


class one_of_the_pair(by_index):
    """Only the first of a directory entry's two sptes goes."""

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
            first = page.spte + (at & 0xFFF) // 8
            for spte in range(first, first + count):
                entry = vm.memory.words[spte]
                if entry & PRESENT:
                    if page.level == 1:
                        vm.rmap.remove(spte)
                    else:
                        vm.parents.remove(child(vm, entry), spte)
                vm.memory.put(spte, 0, ev.ZAP_SPTE)


class pair_below(by_index):
    """The pair is the spte and the one before it."""

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
            for spte in range(first - count + 1, first + 1):
                entry = vm.memory.words[spte]
                if entry & PRESENT:
                    if page.level == 1:
                        vm.rmap.remove(spte)
                    else:
                        vm.parents.remove(child(vm, entry), spte)
                vm.memory.put(spte, 0, ev.ZAP_SPTE)


class pair_past_the_mask(by_index):
    """Twice the index, without a mask: the other quadrants' pairs lie behind the page."""

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
                at = at * 2 & 0xFFF
                if page.level == 2:
                    at = (at & 0xFF8) * 2
                    count = 2
            first = page.spte + (at & 0x1FFF) // 8
            for spte in range(first, first + count):
                entry = vm.memory.words[spte]
                if entry & PRESENT:
                    if page.level == 1:
                        vm.rmap.remove(spte)
                    else:
                        vm.parents.remove(child(vm, entry), spte)
                vm.memory.put(spte, 0, ev.ZAP_SPTE)


class pair_stops_at_empty(by_index):
    """Where the first spte of the pair is empty, the second isn't looked at."""

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
                if not entry:
                    break
                if entry & PRESENT:
                    if page.level == 1:
                        vm.rmap.remove(spte)
                    else:
                        vm.parents.remove(child(vm, entry), spte)
                vm.memory.put(spte, 0, ev.ZAP_SPTE)


class parent_kept(by_index):
    """The links are emptied, but the children still count them as parents."""

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
                if entry & PRESENT and page.level == 1:
                    vm.rmap.remove(spte)
                vm.memory.put(spte, 0, ev.ZAP_SPTE)


class quadrant_3_spared_by_2(by_index):
    """A page of quadrant 3 is spared by entries of quadrant 2."""

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
            if esize == 4 and (page.level == 2 and page.quadrant == 3 and q == 2):
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


class second_of_the_pair(by_index):
    """Only the second of a directory entry's two sptes goes."""

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
                    at = (at & ~7) * 2 + 8
            first = page.spte + (at & 0xFFF) // 8
            for spte in range(first, first + count):
                entry = vm.memory.words[spte]
                if entry & PRESENT:
                    if page.level == 1:
                        vm.rmap.remove(spte)
                    else:
                        vm.parents.remove(child(vm, entry), spte)
                vm.memory.put(spte, 0, ev.ZAP_SPTE)
