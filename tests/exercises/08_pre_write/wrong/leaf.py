# SPDX-License-Identifier: GPL-2.0-only

from kvmmmu_lab.mmu.bits import WRITABLE


class always_the_whole_page(by_index):
    """Each write zaps the whole page."""

    def pre_write(vm, gpa, size):
        gfn = gpa >> PAGE_SHIFT
        if gfn == vm.last_pt_write_gfn:
            vm.last_pt_write_count += 1
        else:
            vm.last_pt_write_gfn = gfn
            vm.last_pt_write_count = 1
        for page in list(vm.pool.bucket(gfn)):
            if page.gfn != gfn or page.metaphysical:
                continue
            zap_page(vm, page)


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
                    if entry & 0x40:
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
            vm.flush_tlb()


class guest_allowance_left(by_index):
    """The entry keeps its flags and loses only P and the address."""

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
            vm.memory.put(spte, entry & 0xE00, ev.ZAP_SPTE)


class index_8_bits(by_index):
    """The number of the entry is cut to 8 bits."""

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
            spte = page.spte + (offset // 8 & 0xFF)
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
        across = offset // 8 != (offset + size - 1) // 8
        for page in list(vm.pool.bucket(gfn)):
            if page.gfn != gfn or page.metaphysical:
                continue
            if flooded or across:
                zap_page(vm, page)
                continue
            spte = page.spte + offset // 8
            entry = vm.memory.words[spte]
            if entry & PRESENT and page.level > 1:
                vm.parents.remove(child(vm, entry), spte)
            vm.memory.put(spte, 0, ev.ZAP_SPTE)


class nx_left(by_index):
    """Bit 63 of the entry is left."""

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
            vm.memory.put(spte, entry & 1 << 63, ev.ZAP_SPTE)


class one_byte_too_many(by_index):
    """The last byte is taken to be the one behind the write."""

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
        across = offset // 8 != (offset + size) // 8
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
        entry_size = 4 if vm.root_level == 3 else 8
        across = offset // entry_size != (offset + size - 1) // entry_size
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


class present_bit_cleared(by_index):
    """Only the present bit of the entry goes."""

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
            vm.memory.put(spte, entry & ~PRESENT, ev.ZAP_SPTE)


class writable_only(by_index):
    """Entries that can't write are left as they are."""

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
            if not entry & WRITABLE:
                continue
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
        across = offset // 8 != (offset + size - 1) // 8
        for page in list(vm.pool.bucket(gfn)):
            if page.gfn != gfn or page.metaphysical:
                continue
            if flooded or across:
                zap_page(vm, page)
                continue
            spte = page.spte + offset // 8
            entry = vm.memory.words[spte]
            vm.memory.put(spte, 0, ev.ZAP_SPTE)
            if entry & PRESENT:
                if page.level == 1:
                    vm.rmap.remove(spte)
                else:
                    vm.parents.remove(child(vm, entry), spte)
