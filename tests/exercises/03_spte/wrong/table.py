# SPDX-License-Identifier: GPL-2.0-only


class always_flushes(steps):
    """It flushes the TLB for every entry."""

    def protected(vm, entry, gfn):
        vm.flush_tlb()
        if entry & W and vm.pool.lookup(gfn) is not None:
            entry &= ~W
        return entry


class dirty_before_table(steps):
    """A frame is marked dirty before it turns out to be a page table."""

    def map_frame(vm, spte, entry, hfn, gpa, gfn):
        if entry & W:
            vm.memory.mark_dirty(gpa >> 12)
        entry = protected(vm, entry, gfn)
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class flush_at_overwrite(steps):
    """It flushes the TLB whenever a present entry is overwritten."""

    def map_frame(vm, spte, entry, hfn, gpa, gfn):
        entry = protected(vm, entry, gfn)
        if entry & W:
            vm.memory.mark_dirty(gpa >> 12)
        if vm.memory.words[spte] & P:
            vm.flush_tlb()
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class flush_if_allowed(steps):
    """It flushes the TLB for a page table if the rights allow writing, even if the entry is clean."""

    def protected(vm, entry, gfn):
        if entry & W << 9 and vm.pool.lookup(gfn) is not None:
            vm.flush_tlb()
            entry &= ~W
        return entry


class flush_though_not_writable(steps):
    """It flushes the TLB for every entry that leads to a page table, even a read-only one."""

    def protected(vm, entry, gfn):
        if vm.pool.lookup(gfn) is not None:
            vm.flush_tlb()
            entry &= ~W
        return entry


class flush_twice(steps):
    """It flushes the TLB twice."""

    def protected(vm, entry, gfn):
        if entry & W and vm.pool.lookup(gfn) is not None:
            vm.flush_tlb()
            vm.flush_tlb()
            entry &= ~W
        return entry


class metaphysical_too(steps):
    """Shadow pages that shadow no page table count as well."""

    def protected(vm, entry, gfn):
        if entry & W and any(page.gfn == gfn for page in vm.pool.bucket(gfn)):
            vm.flush_tlb()
            entry &= ~W
        return entry


class only_level_1_tables(steps):
    """Only page tables of the lowest level count."""

    def protected(vm, entry, gfn):
        page = vm.pool.lookup(gfn)
        if entry & W and page is not None and page.level == 1:
            vm.flush_tlb()
            entry &= ~W
        return entry


class remembers_tables(steps):
    """A frame that was a page table once counts for ever."""

    KNOWN = set()

    def protected(vm, entry, gfn):
        if vm.pool.lookup(gfn) is not None:
            KNOWN.add((id(vm), gfn))
        if entry & W and (id(vm), gfn) in KNOWN:
            vm.flush_tlb()
            entry &= ~W
        return entry


class table_loses_the_mark(steps):
    """An entry to a page table loses the mark in bit 10 as well."""

    def protected(vm, entry, gfn):
        if entry & W and vm.pool.lookup(gfn) is not None:
            vm.flush_tlb()
            entry &= ~(W | W << 9)
        return entry


class table_made_writable(steps):
    """It does not ask whether the frame is a page table."""

    def protected(vm, entry, gfn):
        return entry


class table_not_present(steps):
    """An entry to a page table is not present."""

    def protected(vm, entry, gfn):
        if entry & W and vm.pool.lookup(gfn) is not None:
            vm.flush_tlb()
            entry &= ~(W | P)
        return entry


class table_without_flush(steps):
    """W is withheld from a page table without a flush."""

    def protected(vm, entry, gfn):
        if entry & W and vm.pool.lookup(gfn) is not None:
            entry &= ~W
        return entry


class tables_modulo_256(steps):
    """A frame counts as a page table if its hash bucket is not empty."""

    def protected(vm, entry, gfn):
        if entry & W and vm.pool.bucket(gfn):
            vm.flush_tlb()
            entry &= ~W
        return entry


class zero_taken_for_none(steps):
    """Guest frame 0 counts as no memory."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        entry = flags(vm, guest_entry, allowed(guest_entry, rights))
        hfn = vm.memory.frames[gpa >> 12]
        if hfn is None or gpa == 0:
            vm.memory.put(spte, io_entry(entry, gpa), ev.MAKE_SPTE)
        else:
            map_frame(vm, spte, entry, hfn, gpa, gfn)


class page_0_is_no_table(steps):
    """The shadow page of the table counts by its number, and page 0 counts as none."""

    def protected(vm, entry, gfn):
        if entry & W and getattr(vm.pool.lookup(gfn), "id", 0):
            vm.flush_tlb()
            entry &= ~W
        return entry


class tables_of_this_mode_only(steps):
    """A table that was made in another paging mode does not count."""

    def protected(vm, entry, gfn):
        page = vm.pool.lookup(gfn)
        if entry & W and page is not None and page.glevels == vm.root_level:
            vm.flush_tlb()
            entry &= ~W
        return entry


class tables_by_20_bits(steps):
    """A frame counts as a page table, too, if its lowest 20 bits are those of one."""

    def protected(vm, entry, gfn):
        if entry & W and (vm.pool.lookup(gfn) is not None or vm.pool.lookup(gfn & 0xFFFFF) is not None):
            vm.flush_tlb()
            entry &= ~W
        return entry
