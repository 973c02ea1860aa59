# SPDX-License-Identifier: GPL-2.0-only


class first_role_only(by_index):
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
        across = offset // 8 != (offset + size - 1) // 8
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
            break


class gfn_modulo_256(by_index):
    """gfns are compared as the hash does it, modulo 256."""

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
            if page.gfn % 256 != gfn % 256 or page.metaphysical:
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
        across = offset // 8 != (offset + size - 1) // 8
        for page in list(vm.pool.bucket(gfn)):
            if page.gfn != gfn or page.glevels == 0:
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


class leaves_only(by_index):
    """Only pages of level 1 are hit if there are any."""

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
        found = [page for page in vm.pool.bucket(gfn) if page.gfn == gfn]
        for page in [page for page in found if page.level == 1] or found:
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
        across = offset // 8 != (offset + size - 1) // 8
        for page in list(vm.pool.bucket(gfn)):
            if page.gfn != gfn:
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


class newest_page_only(by_index):
    """Asks for the shadow page of the gfn, as if there were one."""

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
        for page in filter(None, [vm.pool.lookup(gfn)]):
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


class one_page_for_each_level(by_index):
    """Of pages that are used at the root's level only the root is hit."""

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
        found = [page for page in vm.pool.bucket(gfn) if page.gfn == gfn]
        for page in [page for page in found if page.root_count] or found:
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
        across = offset // 8 != (offset + size - 1) // 8
        for page in list(vm.pool.bucket(gfn)):
            if page.metaphysical:
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
