# SPDX-License-Identifier: GPL-2.0-only


class io_loses_nx(steps):
    """An I/O entry loses NX."""

    def io_entry(entry, gpa):
        return entry & 0xFFF & ~P | 1 << 9 | gpa


class io_not_made(steps):
    """Without memory behind the frame the entry stays empty."""

    def io_entry(entry, gpa):
        return 0


class io_nothing_but_the_mark(steps):
    """An I/O entry contains only the mark and the gpa."""

    def io_entry(entry, gpa):
        return 1 << 9 | gpa


class io_present(steps):
    """An I/O entry is present."""

    def io_entry(entry, gpa):
        return entry | 1 << 9 | gpa


class io_without_gpa(steps):
    """An I/O entry does not say where it leads."""

    def io_entry(entry, gpa):
        return entry & ~P | 1 << 9


class io_without_mark(steps):
    """An I/O entry has no mark in bit 9."""

    def io_entry(entry, gpa):
        return entry & ~P | gpa


class io_without_rights(steps):
    """An I/O entry never has W."""

    def io_entry(entry, gpa):
        return entry & ~(P | W) | 1 << 9 | gpa


class io_writable_though_clean(steps):
    """An I/O entry has W even if the guest's entry is clean."""

    def io_entry(entry, gpa):
        return entry & ~P | entry >> 9 & W | 1 << 9 | gpa


class old_io_mark_kept(steps):
    """Bit 9 of an old I/O entry is kept."""

    def map_frame(vm, spte, entry, hfn, gpa, gfn):
        entry = protected(vm, entry, gfn)
        if entry & W:
            vm.memory.mark_dirty(gpa >> 12)
        vm.memory.put(spte, vm.memory.words[spte] & 1 << 9 | entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class io_in_the_reverse_map(steps):
    """It passes an I/O entry to the reverse map, which ignores it."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        entry = flags(vm, guest_entry, allowed(guest_entry, rights))
        hfn = vm.memory.frames[gpa >> 12]
        if hfn is None:
            vm.memory.put(spte, io_entry(entry, gpa), ev.MAKE_SPTE)
            vm.rmap.add(spte)
        else:
            map_frame(vm, spte, entry, hfn, gpa, gfn)


class io_updates_the_slot(steps):
    """It updates the slot of a frame that is in none."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        entry = flags(vm, guest_entry, allowed(guest_entry, rights))
        hfn = vm.memory.frames[gpa >> 12]
        update_slot(vm, spte, gpa >> 12)
        if hfn is None:
            vm.memory.put(spte, io_entry(entry, gpa), ev.MAKE_SPTE)
        else:
            map_frame(vm, spte, entry, hfn, gpa, gfn)


class io_marked_in_the_log(steps):
    """It marks a frame dirty that is not memory, which no log shows."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        entry = flags(vm, guest_entry, allowed(guest_entry, rights))
        hfn = vm.memory.frames[gpa >> 12]
        if hfn is None:
            vm.memory.put(spte, io_entry(entry, gpa), ev.MAKE_SPTE)
            vm.memory.mark_dirty(gpa >> 12)
        else:
            map_frame(vm, spte, entry, hfn, gpa, gfn)


class io_keeps_old_nx(steps):
    """An I/O entry keeps NX of the entry that was there before."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        entry = flags(vm, guest_entry, allowed(guest_entry, rights))
        hfn = vm.memory.frames[gpa >> 12]
        if hfn is None:
            vm.memory.put(spte, io_entry(entry, gpa) | vm.memory.words[spte] & NX, ev.MAKE_SPTE)
        else:
            map_frame(vm, spte, entry, hfn, gpa, gfn)
