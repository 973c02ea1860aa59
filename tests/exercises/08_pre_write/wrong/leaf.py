# SPDX-License-Identifier: GPL-2.0-only

from kvmmmu_lab.mmu.bits import WRITABLE


class always_the_whole_page(steps):
    """Every write zaps the whole page."""

    def across(offset, size):
        return True


class clean_entries_kept(steps):
    """Only dirty entries are removed from their reverse map."""

    def unlink(vm, page, spte, entry):
        if page.level == 1:
            if entry & 0x40:
                vm.rmap.remove(spte)
        else:
            vm.parents.remove(child(vm, entry), spte)


class flushes(steps):
    """It flushes the TLB after each entry."""

    def zap_entry(vm, page, spte):
        entry = vm.memory.words[spte]
        if entry & PRESENT:
            unlink(vm, page, spte, entry)
        vm.memory.put(spte, 0, ev.ZAP_SPTE)
        vm.flush_tlb()


class guest_allowance_left(steps):
    """The entry keeps bits 9 to 11."""

    def zap_entry(vm, page, spte):
        entry = vm.memory.words[spte]
        if entry & PRESENT:
            unlink(vm, page, spte, entry)
        vm.memory.put(spte, entry & 0xE00, ev.ZAP_SPTE)


class index_8_bits(steps):
    """The index of the entry is cut to 8 bits."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if flooded or across(offset, size):
                zap_page(vm, page)
            else:
                zap_entry(vm, page, page.spte + (offset // 8 & 255))


class no_rmap_removal(steps):
    """The entry is zeroed, but stays in the reverse map."""

    def unlink(vm, page, spte, entry):
        if page.level > 1:
            vm.parents.remove(child(vm, entry), spte)


class nx_left(steps):
    """Bit 63 of the entry is left."""

    def zap_entry(vm, page, spte):
        entry = vm.memory.words[spte]
        if entry & PRESENT:
            unlink(vm, page, spte, entry)
        vm.memory.put(spte, entry & 1 << 63, ev.ZAP_SPTE)


class one_byte_too_many(steps):
    """The byte behind the write counts as its last one."""

    def across(offset, size):
        return offset // 8 != (offset + size) // 8


class pae_as_4_bytes(steps):
    """An entry of a PAE guest has 4 bytes."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        width = 4 if vm.root_level == 3 else 8
        for page in shadows(vm, gfn):
            if flooded or offset // width != (offset + size - 1) // width:
                zap_page(vm, page)
            else:
                zap_entry(vm, page, page.spte + offset // 8)


class present_bit_cleared(steps):
    """Only the present bit of the entry is cleared."""

    def zap_entry(vm, page, spte):
        entry = vm.memory.words[spte]
        if entry & PRESENT:
            unlink(vm, page, spte, entry)
        vm.memory.put(spte, entry & ~PRESENT, ev.ZAP_SPTE)


class writable_only(steps):
    """Entries that can't write are left as they are."""

    def zap_entry(vm, page, spte):
        entry = vm.memory.words[spte]
        if not entry & WRITABLE:
            return
        if entry & PRESENT:
            unlink(vm, page, spte, entry)
        vm.memory.put(spte, 0, ev.ZAP_SPTE)


class zeroed_before_rmap(steps):
    """The entry is zeroed first, so that the reverse map does not find it."""

    def zap_entry(vm, page, spte):
        entry = vm.memory.words[spte]
        vm.memory.put(spte, 0, ev.ZAP_SPTE)
        if entry & PRESENT:
            unlink(vm, page, spte, entry)


class words_instead_of_put(steps):
    """It writes the entry straight into memory instead of calling `put`."""

    def zap_entry(vm, page, spte):
        entry = vm.memory.words[spte]
        if entry & PRESENT:
            unlink(vm, page, spte, entry)
        vm.memory.words[spte] = 0
