# SPDX-License-Identifier: GPL-2.0-only


class accessed_always_set(steps):
    """The accessed bit is always set."""

    def copied(vm, guest_entry):
        return A | guest_entry & (P | D | G | (NX if vm.root_level > 2 else 0))


class all_low_bits_copied(steps):
    """All bits below bit 12 are copied but for W and U."""

    def copied(vm, guest_entry):
        return guest_entry & (0xFFF & ~(W | U) | (NX if vm.root_level > 2 else 0))


class cache_bits_copied(steps):
    """Bits 3 and 4 are copied as well."""

    def copied(vm, guest_entry):
        return guest_entry & (P | A | D | G | 1 << 3 | 1 << 4 | (NX if vm.root_level > 2 else 0))


class dirty_not_copied(steps):
    """The dirty bit is not copied."""

    def copied(vm, guest_entry):
        return guest_entry & (P | A | G | (NX if vm.root_level > 2 else 0))


class frame_of_the_guest_entry(steps):
    """The frame is taken from the guest's entry, which is wrong for large pages."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        entry = flags(vm, guest_entry, allowed(guest_entry, rights))
        hfn = vm.memory.frames[(guest_entry & 0x000FFFFFFFFFF000) >> 12]
        if hfn is None:
            vm.memory.put(spte, io_entry(entry, gpa), ev.MAKE_SPTE)
        else:
            map_frame(vm, spte, entry, hfn, gpa, gfn)


class frames_get(steps):
    """`frames.get` answers None for every frame that was not looked up before."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        entry = flags(vm, guest_entry, allowed(guest_entry, rights))
        hfn = vm.memory.frames.get(gpa >> 12)
        if hfn is None:
            vm.memory.put(spte, io_entry(entry, gpa), ev.MAKE_SPTE)
        else:
            map_frame(vm, spte, entry, hfn, gpa, gfn)


class global_not_copied(steps):
    """The global bit is not copied."""

    def copied(vm, guest_entry):
        return guest_entry & (P | A | D | (NX if vm.root_level > 2 else 0))


class guest_frame_kept(steps):
    """The entry leads to the guest's frame number instead of the host's."""

    def map_frame(vm, spte, entry, hfn, gpa, gfn):
        entry = protected(vm, entry, gfn)
        if entry & W:
            vm.memory.mark_dirty(gpa >> 12)
        vm.memory.put(spte, entry | gpa, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class hfn_of_20_bits(steps):
    """The host frame number is cut to 20 bits."""

    def map_frame(vm, spte, entry, hfn, gpa, gfn):
        entry = protected(vm, entry, gfn)
        if entry & W:
            vm.memory.mark_dirty(gpa >> 12)
        vm.memory.put(spte, entry | (hfn & 0xFFFFF) << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class high_bits_copied(steps):
    """Bits 52 to 62 are copied together with NX."""

    def copied(vm, guest_entry):
        return guest_entry & (P | A | D | G | (0xFFF << 52 if vm.root_level > 2 else 0))


class large_bit_copied(steps):
    """PS is copied."""

    def copied(vm, guest_entry):
        return guest_entry & (P | A | D | G | 1 << 7 | (NX if vm.root_level > 2 else 0))


class nx_from_bit_31(steps):
    """In a 32-bit guest the highest bit of the entry becomes NX."""

    def copied(vm, guest_entry):
        if vm.root_level == 2:
            return guest_entry & (P | A | D | G) | (guest_entry >> 31 & 1) << 63
        return guest_entry & (P | A | D | G | NX)


class nx_not_copied(steps):
    """NX is not copied."""

    def copied(vm, guest_entry):
        return guest_entry & (P | A | D | G)


class nx_only_in_64_bit_guests(steps):
    """NX is copied for 64-bit guests, but not for PAE guests."""

    def copied(vm, guest_entry):
        return guest_entry & (P | A | D | G | (NX if vm.root_level == 4 else 0))


class nx_only_with_efer(steps):
    """NX is copied only while EFER.NX is set."""

    def copied(vm, guest_entry):
        return guest_entry & (P | A | D | G | (NX if vm.root_level > 2 and vm.cpu.efer >> 11 & 1 else 0))


class old_entry_kept(steps):
    """The low bits of the old shadow entry are kept."""

    def map_frame(vm, spte, entry, hfn, gpa, gfn):
        entry = protected(vm, entry, gfn)
        if entry & W:
            vm.memory.mark_dirty(gpa >> 12)
        vm.memory.put(spte, vm.memory.words[spte] & 0xFFF | entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class written_without_put(steps):
    """It writes the entry straight into memory instead of calling `put`."""

    def map_frame(vm, spte, entry, hfn, gpa, gfn):
        entry = protected(vm, entry, gfn)
        if entry & W:
            vm.memory.mark_dirty(gpa >> 12)
        vm.memory.words[spte] = entry | hfn << 12
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class old_bits_kept(steps):
    """Bits 52 to 62 of the old shadow entry are kept."""

    def map_frame(vm, spte, entry, hfn, gpa, gfn):
        entry = protected(vm, entry, gfn) | vm.memory.words[spte] & 0x7FF << 52
        if entry & W:
            vm.memory.mark_dirty(gpa >> 12)
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class host_frames_remembered(steps):
    """It remembers the host's frame of each gfn, which can change."""

    known = {}

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        entry = flags(vm, guest_entry, allowed(guest_entry, rights))
        hfn = known.setdefault((id(vm), gpa), vm.memory.frames[gpa >> 12])
        if hfn is None:
            vm.memory.put(spte, io_entry(entry, gpa), ev.MAKE_SPTE)
        else:
            map_frame(vm, spte, entry, hfn, gpa, gfn)
