# SPDX-License-Identifier: GPL-2.0-only


class no_u_in_entries_with_bit_52(steps):
    """If bit 52 of the guest's entry is set, U is not allowed."""

    def allowed(guest_entry, rights):
        return rights & guest_entry & (W if guest_entry >> 52 & 1 else W | U)


class last_entry_marks_nothing_dirty(steps):
    """The last entry of a shadow page never marks its frame dirty."""

    def map_frame(vm, spte, entry, hfn, gpa, gfn):
        entry = protected(vm, entry, gfn)
        if entry & W and spte & 511 != 511:
            vm.memory.mark_dirty(gpa >> 12)
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)
