# SPDX-License-Identifier: GPL-2.0-only


class across_leaf_pages_only(by_index):
    """Across entries, only page tables are zapped whole."""

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
        across = offset // 8 != (offset + size - 1) // 8
        for page in list(vm.pool.bucket(gfn)):
            if page.gfn != gfn or page.metaphysical:
                continue
            if flooded or (across and page.level == 1):
                zap_page(vm, page)
                continue
            spte = page.spte + offset // 8
            entry = vm.memory.words[spte]
            if entry & PRESENT:
                if page.level == 1:
                    vm.rmap.remove(spte)
                else:
                    vm.parents.remove(child(vm, entry), spte)
            vm.memory.put(spte, 0, ev.ZAP_SPTE)


class across_needs_an_entry(by_index):
    """A write across entries zaps the page only if one of the two isn't empty."""

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
        across = offset // 8 != (offset + size - 1) // 8
        for page in list(vm.pool.bucket(gfn)):
            if page.gfn != gfn or page.metaphysical:
                continue
            if flooded or across:
                first = page.spte + offset // 8
                if flooded or vm.memory.words[first] or vm.memory.words[first + 1]:
                    zap_page(vm, page)
                continue
            spte = page.spte + offset // 8
            entry = vm.memory.words[spte]
            if entry & PRESENT:
                if page.level == 1:
                    vm.rmap.remove(spte)
                else:
                    vm.parents.remove(child(vm, entry), spte)
            vm.memory.put(spte, 0, ev.ZAP_SPTE)


class across_zaps_one(by_index):
    """A write across entries zaps the first page only."""

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
        across = offset // 8 != (offset + size - 1) // 8
        for page in list(vm.pool.bucket(gfn)):
            if page.gfn != gfn or page.metaphysical:
                continue
            if flooded or across:
                zap_page(vm, page)
                break
            spte = page.spte + offset // 8
            entry = vm.memory.words[spte]
            if entry & PRESENT:
                if page.level == 1:
                    vm.rmap.remove(spte)
                else:
                    vm.parents.remove(child(vm, entry), spte)
            vm.memory.put(spte, 0, ev.ZAP_SPTE)


class both_entries(by_index):
    """A write across two entries empties the two, and not the page."""

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
            if flooded:
                zap_page(vm, page)
                continue
            for index in range(offset // 8, (offset + size - 1) // 8 + 1):
                spte = page.spte + index
                entry = vm.memory.words[spte]
                if entry & PRESENT:
                    if page.level == 1:
                        vm.rmap.remove(spte)
                    else:
                        vm.parents.remove(child(vm, entry), spte)
                vm.memory.put(spte, 0, ev.ZAP_SPTE)


class given_back_by_hand(by_index):
    """The page is given back to the pool without being emptied."""

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
        across = offset // 8 != (offset + size - 1) // 8
        for page in list(vm.pool.bucket(gfn)):
            if page.gfn != gfn or page.metaphysical:
                continue
            if flooded or across:
                vm.pool.give(page)
                continue
            spte = page.spte + offset // 8
            entry = vm.memory.words[spte]
            if entry & PRESENT:
                if page.level == 1:
                    vm.rmap.remove(spte)
                else:
                    vm.parents.remove(child(vm, entry), spte)
            vm.memory.put(spte, 0, ev.ZAP_SPTE)


class live_list(by_index):
    """Goes through the bucket itself while zapping takes pages out of it."""

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
        across = offset // 8 != (offset + size - 1) // 8
        for page in vm.pool.bucket(gfn):
            if page.gfn != gfn or page.metaphysical:
                continue
            if flooded or across:
                zap_page(vm, page)
                continue
            spte = page.spte + offset // 8
            entry = vm.memory.words[spte]
            if entry & PRESENT:
                if page.level == 1:
                    vm.rmap.remove(spte)
                else:
                    vm.parents.remove(child(vm, entry), spte)
            vm.memory.put(spte, 0, ev.ZAP_SPTE)


class only_8_bytes_are_across(by_index):
    """Only writes of 8 bytes are taken to lie in two entries."""

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
        across = offset // 8 != (offset + size - 1) // 8 and size == 8
        for page in list(vm.pool.bucket(gfn)):
            if page.gfn != gfn or page.metaphysical:
                continue
            if flooded or across:
                zap_page(vm, page)
                continue
            spte = page.spte + offset // 8
            entry = vm.memory.words[spte]
            if entry & PRESENT:
                if page.level == 1:
                    vm.rmap.remove(spte)
                else:
                    vm.parents.remove(child(vm, entry), spte)
            vm.memory.put(spte, 0, ev.ZAP_SPTE)


class start_only(by_index):
    """Only where the write begins is looked at."""

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
            if flooded:
                zap_page(vm, page)
                continue
            spte = page.spte + offset // 8
            entry = vm.memory.words[spte]
            if entry & PRESENT:
                if page.level == 1:
                    vm.rmap.remove(spte)
                else:
                    vm.parents.remove(child(vm, entry), spte)
            vm.memory.put(spte, 0, ev.ZAP_SPTE)


class until_none_is_left(by_index):
    """Zaps for as long as the pool knows a page of the gfn; a root in use stays for ever."""

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
        across = offset // 8 != (offset + size - 1) // 8
        while (flooded or across) and (page := vm.pool.lookup(gfn)):
            zap_page(vm, page)
        for page in list(vm.pool.bucket(gfn)):
            if page.gfn != gfn or page.metaphysical:
                continue
            spte = page.spte + offset // 8
            entry = vm.memory.words[spte]
            if entry & PRESENT:
                if page.level == 1:
                    vm.rmap.remove(spte)
                else:
                    vm.parents.remove(child(vm, entry), spte)
            vm.memory.put(spte, 0, ev.ZAP_SPTE)


class zaps_backwards(by_index):
    """Goes through the bucket from its end."""

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
        across = offset // 8 != (offset + size - 1) // 8
        for page in reversed(list(vm.pool.bucket(gfn))):
            if page.gfn != gfn or page.metaphysical:
                continue
            if flooded or across:
                zap_page(vm, page)
                continue
            spte = page.spte + offset // 8
            entry = vm.memory.words[spte]
            if entry & PRESENT:
                if page.level == 1:
                    vm.rmap.remove(spte)
                else:
                    vm.parents.remove(child(vm, entry), spte)
            vm.memory.put(spte, 0, ev.ZAP_SPTE)


class zaps_the_bucket(by_index):
    """A write across entries zaps all pages of the bucket."""

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
        across = offset // 8 != (offset + size - 1) // 8
        for page in list(vm.pool.bucket(gfn)):
            if flooded or across:
                zap_page(vm, page)
                continue
            if page.gfn != gfn or page.metaphysical:
                continue
            spte = page.spte + offset // 8
            entry = vm.memory.words[spte]
            if entry & PRESENT:
                if page.level == 1:
                    vm.rmap.remove(spte)
                else:
                    vm.parents.remove(child(vm, entry), spte)
            vm.memory.put(spte, 0, ev.ZAP_SPTE)
