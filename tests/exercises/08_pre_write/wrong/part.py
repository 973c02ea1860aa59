# SPDX-License-Identifier: GPL-2.0-only


class by_last_byte_end(steps):
    """The index of the entry is computed from the end of the write."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if flooded or across(offset, size):
                zap_page(vm, page)
            else:
                zap_entry(vm, page, page.spte + (offset + size) // 8 - 1)


class natural_alignment(steps):
    """A write that is not aligned to its own size zaps the page."""

    def across(offset, size):
        return offset % size != 0


class rounded_up(steps):
    """The index of the entry is rounded up."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if flooded or across(offset, size):
                zap_page(vm, page)
            else:
                zap_entry(vm, page, page.spte + (offset + 7) // 8 % 512)


class small_writes_are_across(steps):
    """Every write of less than 8 bytes zaps the page."""

    def across(offset, size):
        return offset % 8 + size != 8 or size != 8


class small_writes_ignored(steps):
    """Writes of less than 4 bytes change no entry."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if flooded or across(offset, size):
                zap_page(vm, page)
            elif size >= 4:
                zap_entry(vm, page, page.spte + offset // 8)


class upper_half_ignored(steps):
    """Writes to the upper half of an entry change nothing."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if flooded or across(offset, size):
                zap_page(vm, page)
            elif not offset & 4:
                zap_entry(vm, page, page.spte + offset // 8)
