# SPDX-License-Identifier: GPL-2.0-only


class io_loses_nx(straight):
    """An I/O entry loses NX."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        copied = P | A | D | G
        if vm.root_level != 2:
            copied |= NX
        allowed = rights & guest_entry & (W | U)
        entry = (guest_entry & copied) | (allowed << 9) | allowed
        if not guest_entry & D:
            entry &= ~W
        hfn = vm.memory.frames[gpa >> 12]
        if hfn is None:
            entry &= ~P & 0xFFF
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


class io_not_made(straight):
    """Where there is no memory the entry stays empty."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        copied = P | A | D | G
        if vm.root_level != 2:
            copied |= NX
        allowed = rights & guest_entry & (W | U)
        entry = (guest_entry & copied) | (allowed << 9) | allowed
        if not guest_entry & D:
            entry &= ~W
        hfn = vm.memory.frames[gpa >> 12]
        if hfn is None:
            vm.memory.put(spte, 0, ev.MAKE_SPTE)
            return
        if entry & W and vm.pool.lookup(gfn) is not None:
            entry &= ~W
            vm.flush_tlb()
        if entry & W:
            vm.memory.mark_dirty(gpa >> 12)
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class io_nothing_but_the_mark(straight):
    """An I/O entry has the mark and gpa only."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        copied = P | A | D | G
        if vm.root_level != 2:
            copied |= NX
        allowed = rights & guest_entry & (W | U)
        entry = (guest_entry & copied) | (allowed << 9) | allowed
        if not guest_entry & D:
            entry &= ~W
        hfn = vm.memory.frames[gpa >> 12]
        if hfn is None:
            entry = 1 << 9 | gpa
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


class io_present(straight):
    """An I/O entry is present."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        copied = P | A | D | G
        if vm.root_level != 2:
            copied |= NX
        allowed = rights & guest_entry & (W | U)
        entry = (guest_entry & copied) | (allowed << 9) | allowed
        if not guest_entry & D:
            entry &= ~W
        hfn = vm.memory.frames[gpa >> 12]
        if hfn is None:
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


class io_without_gpa(straight):
    """An I/O entry doesn't say where it leads."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        copied = P | A | D | G
        if vm.root_level != 2:
            copied |= NX
        allowed = rights & guest_entry & (W | U)
        entry = (guest_entry & copied) | (allowed << 9) | allowed
        if not guest_entry & D:
            entry &= ~W
        hfn = vm.memory.frames[gpa >> 12]
        if hfn is None:
            entry &= ~P
            entry |= 1 << 9
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


class io_without_mark(straight):
    """An I/O entry has no mark in bit 9."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        copied = P | A | D | G
        if vm.root_level != 2:
            copied |= NX
        allowed = rights & guest_entry & (W | U)
        entry = (guest_entry & copied) | (allowed << 9) | allowed
        if not guest_entry & D:
            entry &= ~W
        hfn = vm.memory.frames[gpa >> 12]
        if hfn is None:
            entry &= ~P
            entry |= gpa
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


class io_without_rights(straight):
    """An I/O entry never has W."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        copied = P | A | D | G
        if vm.root_level != 2:
            copied |= NX
        allowed = rights & guest_entry & (W | U)
        entry = (guest_entry & copied) | (allowed << 9) | allowed
        if not guest_entry & D:
            entry &= ~W
        hfn = vm.memory.frames[gpa >> 12]
        if hfn is None:
            entry &= ~(P | W)
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


class io_writable_though_clean(straight):
    """An I/O entry has W also where the guest's entry is clean."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        copied = P | A | D | G
        if vm.root_level != 2:
            copied |= NX
        allowed = rights & guest_entry & (W | U)
        entry = (guest_entry & copied) | (allowed << 9) | allowed
        if not guest_entry & D:
            entry &= ~W
        hfn = vm.memory.frames[gpa >> 12]
        if hfn is None:
            entry = entry & ~P | allowed
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


class old_io_mark_kept(straight):
    """Of an old I/O entry bit 9 stays."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        copied = P | A | D | G
        if vm.root_level != 2:
            copied |= NX
        allowed = rights & guest_entry & (W | U)
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
        vm.memory.put(spte, vm.memory.words[spte] & 1 << 9 | entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)
