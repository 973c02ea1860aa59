# SPDX-License-Identifier: GPL-2.0-only


class always_8_bytes(steps):
    """All entries have 8 bytes."""

    def narrow(page):
        return False


class always_the_whole_page(steps):
    """Every write to a table of 4-byte entries zaps the page."""

    def across(page, offset, size):
        width = 4 if narrow(page) else 8
        return narrow(page) or offset // width != (offset + size - 1) // width


class clean_entries_kept(steps):
    """Only dirty entries are removed from their reverse map."""

    def unlink(vm, page, spte, entry):
        if page.level == 1:
            if entry & 0x40:
                vm.rmap.remove(spte)
        else:
            vm.parents.remove(child(vm, entry), spte)


class everything_doubled_twice(steps):
    """The offset is doubled twice for page tables as well."""

    def sptes(page, offset):
        at, count = offset, 1
        if narrow(page):
            at = (at * 2 & ~7) * 2
            if page.level == 2:
                count = 2
        first = page.spte + (at & 0xFFF) // 8
        return range(first, first + count)


class flushes(steps):
    """It flushes the TLB after each entry."""

    def zap_entry(vm, page, spte):
        entry = vm.memory.words[spte]
        if entry & PRESENT:
            unlink(vm, page, spte, entry)
        vm.memory.put(spte, 0, ev.ZAP_SPTE)
        vm.flush_tlb()


class index_9_bits_of_the_offset(steps):
    """It divides the offset by 8 before it doubles it."""

    def sptes(page, offset):
        index, count = offset // 8, 1
        if narrow(page):
            index *= 2
            if page.level == 2:
                index, count = index * 2, 2
        first = page.spte + index % 512
        return range(first, first + count)


class io_marks_left(steps):
    """An entry that is not present is left as it is."""

    def zap_entry(vm, page, spte):
        entry = vm.memory.words[spte]
        if not entry & PRESENT:
            return
        if entry & PRESENT:
            unlink(vm, page, spte, entry)
        vm.memory.put(spte, 0, ev.ZAP_SPTE)


class mask_before_doubling(steps):
    """The offset is cut to half a page before it is doubled, which fails for the upper half."""

    def sptes(page, offset):
        at, count = offset, 1
        if narrow(page):
            at = (at & 0x7FF) * 2
            if page.level == 2:
                at, count = (at & ~7 & 0x7FF) * 2, 2
        first = page.spte + at // 8 + (page.level == 1 and offset >= 0x800)
        return range(first, first + count)


class natural_alignment(steps):
    """A write zaps the page only if it is not aligned to its own size, or wider than an entry."""

    def across(page, offset, size):
        width = 4 if narrow(page) else 8
        return offset % size != 0 or size > width


class no_mask(steps):
    """The doubled offset is not taken modulo 4096, so that the second quadrant lies behind the page."""

    def sptes(page, offset):
        at, count = offset, 1
        if narrow(page):
            at *= 2
            if page.level == 2:
                at, count = (at & ~7) * 2, 2
        first = page.spte + at // 8
        return range(first, first + count)


class no_rmap_removal(steps):
    """The entry is zeroed, but stays in the reverse map."""

    def unlink(vm, page, spte, entry):
        if page.level > 1:
            vm.parents.remove(child(vm, entry), spte)


class not_doubled(steps):
    """The offset of an entry of a 4-byte page table is not doubled."""

    def sptes(page, offset):
        at, count = offset, 1
        if narrow(page) and page.level == 2:
            at, count = (at & ~3) * 4, 2
        first = page.spte + (at & 0xFFF) // 8
        return range(first, first + count)


class only_a_right_half(steps):
    """Pages of the second quadrant begin at entry 1."""

    def sptes(page, offset):
        at, count = offset, 1
        if narrow(page):
            at *= 2
            if page.level == 2:
                at, count = (at & ~7) * 2, 2
        first = page.spte + (at & 0xFFF) // 8 + (page.quadrant if page.level == 1 else 0)
        return range(first, first + count)


class pairs_everywhere(steps):
    """An entry of a 4-byte page table has two sptes as well."""

    def sptes(page, offset):
        at, count = offset, 1 + narrow(page)
        if narrow(page):
            at *= 2
            if page.level == 2:
                at, count = (at & ~7) * 2, 2
        first = page.spte + (at & 0xFFF) // 8
        return range(first, first + count)


class small_writes_are_across(steps):
    """Every write that is not a whole entry zaps the page."""

    def across(page, offset, size):
        width = 4 if narrow(page) else 8
        return size != width or offset % width != 0


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
