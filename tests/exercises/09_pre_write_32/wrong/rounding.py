# SPDX-License-Identifier: GPL-2.0-only


class halves_of_the_pair(by_index):
    """A write to the lower half of a directory entry hits the first spte only."""

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
                    count = 2 if size >= 4 or offset & 2 else 1
            first = page.spte + (at & 0xFFF) // 8
            for spte in range(first, first + count):
                entry = vm.memory.words[spte]
                if entry & PRESENT:
                    if page.level == 1:
                        vm.rmap.remove(spte)
                    else:
                        vm.parents.remove(child(vm, entry), spte)
                vm.memory.put(spte, 0, ev.ZAP_SPTE)


class no_rounding(by_index):
    """The offset isn't rounded down between the doublings."""

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
                    at = at * 2
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


class rounded_at_the_end(by_index):
    """It is doubled twice, and then rounded to 8."""

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
                    at = at * 2 & ~7
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


class rounded_to_16(by_index):
    """After the first doubling it is rounded to 16."""

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
                    at = (at & ~15) * 2
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


class rounded_to_4(by_index):
    """After the first doubling it is rounded to 4 and not to 8."""

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
                    at = (at & ~3) * 2
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


class rounded_too_early(by_index):
    """It is rounded to 2 before it is doubled."""

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
                    at = (offset & ~1) * 4
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


class rounded_up(by_index):
    """The offset is rounded up between the doublings."""

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
                    at = (at + 7 & ~7) * 2
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


class small_writes_hit_one(by_index):
    """A write to the upper half of a directory entry hits the second spte only."""

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
                    if offset & 2:
                        at, count = at + 8, 1
            first = page.spte + (at & 0xFFF) // 8
            for spte in range(first, first + count):
                entry = vm.memory.words[spte]
                if entry & PRESENT:
                    if page.level == 1:
                        vm.rmap.remove(spte)
                    else:
                        vm.parents.remove(child(vm, entry), spte)
                vm.memory.put(spte, 0, ev.ZAP_SPTE)
