# SPDX-License-Identifier: GPL-2.0-only


class marks_of_the_guest_entry(straight):
    """The marks say what the guest's entry allows, not what the levels above it leave."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        copied = P | A | D | G
        if vm.root_level != 2:
            copied |= NX
        allowed = rights & guest_entry & (W | U)
        entry = (guest_entry & copied) | ((guest_entry & (W | U)) << 9) | allowed
        if not guest_entry & D:
            entry &= ~W
        hfn = vm.memory.frames[gpa >> 12]
        if hfn is None:
            entry &= ~P
            entry |= 1 << 9 | gpa
            vm.memory.put(spte, entry, ev.MAKE_SPTE)
            return
        if entry & W and vm.pool.lookup(gfn) is not None:
            entry &= ~W
            vm.flush_tlb()
        if entry & W:
            vm.memory.mark_dirty(gpa >> 12)
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class marks_one_too_high(straight):
    """The marks are one bit too high."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        copied = P | A | D | G
        if vm.root_level != 2:
            copied |= NX
        allowed = rights & guest_entry & (W | U)
        entry = (guest_entry & copied) | (allowed << 10) | allowed
        if not guest_entry & D:
            entry &= ~W
        hfn = vm.memory.frames[gpa >> 12]
        if hfn is None:
            entry &= ~P
            entry |= 1 << 9 | gpa
            vm.memory.put(spte, entry, ev.MAKE_SPTE)
            return
        if entry & W and vm.pool.lookup(gfn) is not None:
            entry &= ~W
            vm.flush_tlb()
        if entry & W:
            vm.memory.mark_dirty(gpa >> 12)
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class marks_swapped(straight):
    """The two marks are in the wrong order."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        copied = P | A | D | G
        if vm.root_level != 2:
            copied |= NX
        allowed = rights & guest_entry & (W | U)
        entry = (guest_entry & copied) | ((allowed & W) << 10 | (allowed & U) << 8) | allowed
        if not guest_entry & D:
            entry &= ~W
        hfn = vm.memory.frames[gpa >> 12]
        if hfn is None:
            entry &= ~P
            entry |= 1 << 9 | gpa
            vm.memory.put(spte, entry, ev.MAKE_SPTE)
            return
        if entry & W and vm.pool.lookup(gfn) is not None:
            entry &= ~W
            vm.flush_tlb()
        if entry & W:
            vm.memory.mark_dirty(gpa >> 12)
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class no_marks(straight):
    """Bits 10 and 11 are never set."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        copied = P | A | D | G
        if vm.root_level != 2:
            copied |= NX
        allowed = rights & guest_entry & (W | U)
        entry = (guest_entry & copied) | allowed
        if not guest_entry & D:
            entry &= ~W
        hfn = vm.memory.frames[gpa >> 12]
        if hfn is None:
            entry &= ~P
            entry |= 1 << 9 | gpa
            vm.memory.put(spte, entry, ev.MAKE_SPTE)
            return
        if entry & W and vm.pool.lookup(gfn) is not None:
            entry &= ~W
            vm.flush_tlb()
        if entry & W:
            vm.memory.mark_dirty(gpa >> 12)
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class rights_of_the_entry_ignored(straight):
    """W and U come from the levels above alone."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        copied = P | A | D | G
        if vm.root_level != 2:
            copied |= NX
        allowed = rights & (W | U)
        entry = (guest_entry & copied) | (allowed << 9) | allowed
        if not guest_entry & D:
            entry &= ~W
        hfn = vm.memory.frames[gpa >> 12]
        if hfn is None:
            entry &= ~P
            entry |= 1 << 9 | gpa
            vm.memory.put(spte, entry, ev.MAKE_SPTE)
            return
        if entry & W and vm.pool.lookup(gfn) is not None:
            entry &= ~W
            vm.flush_tlb()
        if entry & W:
            vm.memory.mark_dirty(gpa >> 12)
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class rights_of_the_path_ignored(straight):
    """W and U come from the guest's last entry alone."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        copied = P | A | D | G
        if vm.root_level != 2:
            copied |= NX
        allowed = guest_entry & (W | U)
        entry = (guest_entry & copied) | (allowed << 9) | allowed
        if not guest_entry & D:
            entry &= ~W
        hfn = vm.memory.frames[gpa >> 12]
        if hfn is None:
            entry &= ~P
            entry |= 1 << 9 | gpa
            vm.memory.put(spte, entry, ev.MAKE_SPTE)
            return
        if entry & W and vm.pool.lookup(gfn) is not None:
            entry &= ~W
            vm.flush_tlb()
        if entry & W:
            vm.memory.mark_dirty(gpa >> 12)
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class rights_ored(straight):
    """A right is set if the entry or the levels above allow it."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        copied = P | A | D | G
        if vm.root_level != 2:
            copied |= NX
        allowed = (rights | guest_entry) & (W | U)
        entry = (guest_entry & copied) | (allowed << 9) | allowed
        if not guest_entry & D:
            entry &= ~W
        hfn = vm.memory.frames[gpa >> 12]
        if hfn is None:
            entry &= ~P
            entry |= 1 << 9 | gpa
            vm.memory.put(spte, entry, ev.MAKE_SPTE)
            return
        if entry & W and vm.pool.lookup(gfn) is not None:
            entry &= ~W
            vm.flush_tlb()
        if entry & W:
            vm.memory.mark_dirty(gpa >> 12)
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class user_gets_write(straight):
    """W needs only one of the two where the other allows U."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        copied = P | A | D | G
        if vm.root_level != 2:
            copied |= NX
        allowed = rights & guest_entry & (W | U)
        if allowed & U and guest_entry & W:
            allowed |= W
        entry = (guest_entry & copied) | (allowed << 9) | allowed
        if not guest_entry & D:
            entry &= ~W
        hfn = vm.memory.frames[gpa >> 12]
        if hfn is None:
            entry &= ~P
            entry |= 1 << 9 | gpa
            vm.memory.put(spte, entry, ev.MAKE_SPTE)
            return
        if entry & W and vm.pool.lookup(gfn) is not None:
            entry &= ~W
            vm.flush_tlb()
        if entry & W:
            vm.memory.mark_dirty(gpa >> 12)
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class write_for_kernel_without_wp(straight):
    """With CR0.WP clear, W is always set."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        copied = P | A | D | G
        if vm.root_level != 2:
            copied |= NX
        allowed = rights & guest_entry & (W | U)
        entry = (guest_entry & copied) | (allowed << 9) | allowed
        if guest_entry & D and not vm.cpu.cr0 >> 16 & 1:
            entry |= W
        if not guest_entry & D:
            entry &= ~W
        hfn = vm.memory.frames[gpa >> 12]
        if hfn is None:
            entry &= ~P
            entry |= 1 << 9 | gpa
            vm.memory.put(spte, entry, ev.MAKE_SPTE)
            return
        if entry & W and vm.pool.lookup(gfn) is not None:
            entry &= ~W
            vm.flush_tlb()
        if entry & W:
            vm.memory.mark_dirty(gpa >> 12)
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)
