# SPDX-License-Identifier: GPL-2.0-only


class dirty_by_gfn(steps):
    """The frame marked dirty is gfn instead of gpa's."""

    def map_frame(vm, spte, entry, hfn, gpa, gfn):
        entry = protected(vm, entry, gfn)
        if entry & W:
            vm.memory.mark_dirty(gfn)
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class frame_by_gfn(steps):
    """The host's frame is looked up by gfn."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        entry = flags(vm, guest_entry, allowed(guest_entry, rights))
        hfn = vm.memory.frames[gfn]
        if hfn is None:
            vm.memory.put(spte, io_entry(entry, gpa), ev.MAKE_SPTE)
        else:
            map_frame(vm, spte, entry, hfn, gpa, gfn)


class gpa_of_32_bits(steps):
    """In a 32-bit guest the gpa is cut to 32 bits."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        if vm.root_level == 2:
            gpa &= 0xFFFFFFFF
        entry = flags(vm, guest_entry, allowed(guest_entry, rights))
        hfn = vm.memory.frames[gpa >> 12]
        if hfn is None:
            vm.memory.put(spte, io_entry(entry, gpa), ev.MAKE_SPTE)
        else:
            map_frame(vm, spte, entry, hfn, gpa, gfn)


class io_asks_for_tables(steps):
    """An I/O entry loses W, with a flush, if gfn is a page table."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        entry = flags(vm, guest_entry, allowed(guest_entry, rights))
        hfn = vm.memory.frames[gpa >> 12]
        if hfn is None:
            vm.memory.put(spte, io_entry(protected(vm, entry, gfn), gpa), ev.MAKE_SPTE)
        else:
            map_frame(vm, spte, entry, hfn, gpa, gfn)


class io_by_gfn(steps):
    """An I/O entry contains gfn."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        entry = flags(vm, guest_entry, allowed(guest_entry, rights))
        hfn = vm.memory.frames[gpa >> 12]
        if hfn is None:
            vm.memory.put(spte, io_entry(entry, gfn << 12), ev.MAKE_SPTE)
        else:
            map_frame(vm, spte, entry, hfn, gpa, gfn)


class io_marked_dirty(steps):
    """A writable I/O entry marks gfn dirty."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        entry = flags(vm, guest_entry, allowed(guest_entry, rights))
        hfn = vm.memory.frames[gpa >> 12]
        if hfn is None:
            vm.memory.put(spte, io_entry(entry, gpa), ev.MAKE_SPTE)
            if entry & W:
                vm.memory.mark_dirty(gfn)
        else:
            map_frame(vm, spte, entry, hfn, gpa, gfn)


class io_table_first(steps):
    """A page table never gets an I/O entry: it asks for page tables first."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        entry = flags(vm, guest_entry, allowed(guest_entry, rights))
        hfn = vm.memory.frames[gpa >> 12]
        if hfn is None and vm.pool.lookup(gfn) is None:
            vm.memory.put(spte, io_entry(entry, gpa), ev.MAKE_SPTE)
        else:
            map_frame(vm, spte, entry, hfn or 0, gpa, gfn)


class slot_by_gfn(steps):
    """The slot noted is gfn's instead of gpa's."""

    def map_frame(vm, spte, entry, hfn, gpa, gfn):
        entry = protected(vm, entry, gfn)
        if entry & W:
            vm.memory.mark_dirty(gpa >> 12)
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gfn)
        vm.rmap.add(spte)


class table_by_gpa(steps):
    """It asks whether the frame of gpa is a page table, and not gfn."""

    def map_frame(vm, spte, entry, hfn, gpa, gfn):
        entry = protected(vm, entry, gpa >> 12)
        if entry & W:
            vm.memory.mark_dirty(gpa >> 12)
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class high_frames_in_no_reverse_map(steps):
    """Where gfn is not the frame of gpa, the entry is not passed to the reverse map."""

    def map_frame(vm, spte, entry, hfn, gpa, gfn):
        entry = protected(vm, entry, gfn)
        if entry & W:
            vm.memory.mark_dirty(gpa >> 12)
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        if gfn == gpa >> 12:
            vm.rmap.add(spte)
