# SPDX-License-Identifier: GPL-2.0-only


class clean_by_accessed(straight):
    """Asks the accessed bit instead of the dirty bit."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        copied = P | A | D | G
        if vm.root_level != 2:
            copied |= NX
        allowed = rights & guest_entry & (W | U)
        entry = (guest_entry & copied) | (allowed << 9) | allowed
        if not guest_entry & A:
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


class clean_loses_all_rights(straight):
    """From a clean entry U is withheld, too."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        copied = P | A | D | G
        if vm.root_level != 2:
            copied |= NX
        allowed = rights & guest_entry & (W | U)
        entry = (guest_entry & copied) | (allowed << 9) | allowed
        if not guest_entry & D:
            entry &= ~(W | U)
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


class clean_loses_the_mark(straight):
    """Where W is withheld from a clean entry, its mark is lost, too."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        copied = P | A | D | G
        if vm.root_level != 2:
            copied |= NX
        allowed = rights & guest_entry & (W | U)
        entry = (guest_entry & copied) | (allowed << 9) | allowed
        if not guest_entry & D:
            entry &= ~W & ~(W << 9)
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


class clean_only_with_wp(straight):
    """With CR0.WP clear, W isn't withheld from clean entries."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        copied = P | A | D | G
        if vm.root_level != 2:
            copied |= NX
        allowed = rights & guest_entry & (W | U)
        entry = (guest_entry & copied) | (allowed << 9) | allowed
        if not guest_entry & D and vm.cpu.cr0 >> 16 & 1:
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


class clean_small_pages_only(straight):
    """W isn't withheld from clean large pages."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        copied = P | A | D | G
        if vm.root_level != 2:
            copied |= NX
        allowed = rights & guest_entry & (W | U)
        entry = (guest_entry & copied) | (allowed << 9) | allowed
        if not guest_entry & (D | 1 << 7):
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


class mark_only_if_granted(straight):
    """Bit 10 is set only where W is granted."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        copied = P | A | D | G
        if vm.root_level != 2:
            copied |= NX
        allowed = rights & guest_entry & (W | U)
        entry = (guest_entry & copied) | allowed
        if not guest_entry & D:
            entry &= ~W
        entry |= (entry & (W | U)) << 9
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


class writable_though_clean(straight):
    """W is set although the guest's entry isn't dirty."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        copied = P | A | D | G
        if vm.root_level != 2:
            copied |= NX
        allowed = rights & guest_entry & (W | U)
        entry = (guest_entry & copied) | (allowed << 9) | allowed
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
