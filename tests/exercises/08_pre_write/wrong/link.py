# SPDX-License-Identifier: GPL-2.0-only


class all_parents_removed(by_index):
    """The child loses all its parents and not this one."""

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
                    while (parent := vm.parents.first(child(vm, entry))) is not None:
                        vm.parents.remove(child(vm, entry), parent)
            vm.memory.put(spte, 0, ev.ZAP_SPTE)


class child_zapped(by_index):
    """The child of the entry is zapped with it."""

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
                    zap_page(vm, child(vm, entry))
                    continue
            vm.memory.put(spte, 0, ev.ZAP_SPTE)


class child_zapped_when_orphaned(by_index):
    """A child that has no parent left is zapped."""

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
                    if vm.parents.first(child(vm, entry)) is None:
                        zap_page(vm, child(vm, entry))
            vm.memory.put(spte, 0, ev.ZAP_SPTE)


class links_as_leaves(by_index):
    """Every entry is treated as a leaf."""

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
                vm.rmap.remove(spte)
            vm.memory.put(spte, 0, ev.ZAP_SPTE)


class links_of_directories_only(by_index):
    """Only directories are taken to have children; PML4 and PDPT are treated as leaves."""

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
                if page.level == 2:
                    vm.parents.remove(child(vm, entry), spte)
                else:
                    vm.rmap.remove(spte)
            vm.memory.put(spte, 0, ev.ZAP_SPTE)


class live_root_spared(by_index):
    """A root in use is left alone."""

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
            if page.gfn != gfn or page.metaphysical or page.root_count:
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


class parent_kept(by_index):
    """The link is emptied, but the child still counts it as a parent."""

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
            if entry & PRESENT and page.level == 1:
                vm.rmap.remove(spte)
            vm.memory.put(spte, 0, ev.ZAP_SPTE)


class parents_of_roots_kept(by_index):
    """A page that is a root keeps its parents."""

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
        across = off // 8 != (off + size - 1) // 8
        for page in list(vm.pool.bucket(gfn)):
            if page.gfn != gfn or page.metaphysical:
                continue
            if flood or across:
                zap_page(vm, page)
                continue
            i = off // 8
            spte = page.spte + i
            entry = vm.memory.words[spte]
            if entry & PRESENT:
                if page.level == 1:
                    vm.rmap.remove(spte)
                else:
                    if not child(vm, entry).root_count:
                        vm.parents.remove(child(vm, entry), spte)
            vm.memory.put(spte, 0, ev.ZAP_SPTE)
