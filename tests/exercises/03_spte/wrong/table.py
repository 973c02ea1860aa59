# SPDX-License-Identifier: GPL-2.0-only


class always_flushes(straight):
    """Flushes for every entry."""

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
        vm.flush_tlb()
        if entry & W and vm.pool.lookup(gfn) is not None:
            entry &= ~W
        if entry & W:
            vm.memory.mark_dirty(gpa >> 12)
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class dirty_before_table(straight):
    """A frame is marked dirty before it turns out to be a page table."""

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
        if entry & W:
            vm.memory.mark_dirty(gpa >> 12)
        if entry & W and vm.pool.lookup(gfn) is not None:
            entry &= ~W
            vm.flush_tlb()
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class flush_at_overwrite(stages):
    """Flushes when a present entry is overwritten."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        allowed = rights & guest_entry & (WRITABLE | USER)
        value = guest_entry & (PRESENT | ACCESSED | DIRTY | GLOBAL)
        if vm.root_level != 2:
            value |= guest_entry & NX
        value |= allowed << 9
        granted = allowed
        if not guest_entry & DIRTY:
            granted &= ~WRITABLE
        hfn = vm.memory.frames[gpa >> PAGE_SHIFT]
        if hfn is None:
            value &= ~PRESENT
            vm.memory.put(spte, value | granted | IO_MARK | gpa, ev.MAKE_SPTE)
            return
        if granted & WRITABLE and vm.pool.lookup(gfn) is not None:
            granted &= ~WRITABLE
            vm.flush_tlb()
        if granted & WRITABLE:
            vm.memory.mark_dirty(gpa >> PAGE_SHIFT)
        if vm.memory.words[spte] & PRESENT:
            vm.flush_tlb()
        vm.memory.put(spte, value | granted | hfn << PAGE_SHIFT, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> PAGE_SHIFT)
        vm.rmap.add(spte)


class flush_if_allowed(straight):
    """Flushes for a page table if the guest allows writing, though its entry is clean."""

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
        if allowed & W and vm.pool.lookup(gfn) is not None:
            entry &= ~W
            vm.flush_tlb()
        if entry & W:
            vm.memory.mark_dirty(gpa >> 12)
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class flush_though_not_writable(straight):
    """Flushes for every entry that leads to a page table, also where nothing could be written."""

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
        if vm.pool.lookup(gfn) is not None:
            entry &= ~W
            vm.flush_tlb()
        if entry & W:
            vm.memory.mark_dirty(gpa >> 12)
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class flush_twice(straight):
    """Flushes twice."""

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
            vm.flush_tlb()
        if entry & W:
            vm.memory.mark_dirty(gpa >> 12)
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class metaphysical_too(straight):
    """Takes shadow pages that shadow no table for ones that do."""

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
        if entry & W and any(page.gfn == gfn for page in vm.pool.bucket(gfn)):
            entry &= ~W
            vm.flush_tlb()
        if entry & W:
            vm.memory.mark_dirty(gpa >> 12)
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class only_level_1_tables(straight):
    """Only page tables of the lowest level count as page tables."""

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
        page = vm.pool.lookup(gfn)
        if entry & W and page is not None and page.level == 1:
            entry &= ~W
            vm.flush_tlb()
        if entry & W:
            vm.memory.mark_dirty(gpa >> 12)
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class remembers_tables(straight):
    """Remembers which frames were page tables, also when they aren't any more."""

    KNOWN = set()

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
        if vm.pool.lookup(gfn) is not None:
            KNOWN.add((id(vm), gfn))
        if entry & W and (id(vm), gfn) in KNOWN:
            entry &= ~W
            vm.flush_tlb()
        if entry & W:
            vm.memory.mark_dirty(gpa >> 12)
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class table_loses_the_mark(straight):
    """From a page table the mark in bit 10 is taken, too."""

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
            entry &= ~(W | W << 9)
            vm.flush_tlb()
        if entry & W:
            vm.memory.mark_dirty(gpa >> 12)
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class table_made_writable(straight):
    """Doesn't ask whether the frame is a page table."""

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
        if entry & W:
            vm.memory.mark_dirty(gpa >> 12)
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class table_not_present(straight):
    """An entry to a page table isn't present at all."""

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
            entry &= ~(W | P)
            vm.flush_tlb()
        if entry & W:
            vm.memory.mark_dirty(gpa >> 12)
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class table_without_flush(straight):
    """W is withheld from a page table without a flush."""

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
        if entry & W:
            vm.memory.mark_dirty(gpa >> 12)
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class tables_modulo_256(straight):
    """Takes any frame whose hash bucket isn't empty for a page table."""

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
        if entry & W and vm.pool.bucket(gfn):
            entry &= ~W
            vm.flush_tlb()
        if entry & W:
            vm.memory.mark_dirty(gpa >> 12)
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class zero_taken_for_none(straight):
    """Takes guest frame 0 for no memory."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        copied = P | A | D | G
        if vm.root_level != 2:
            copied |= NX
        allowed = rights & guest_entry & (W | U)
        entry = (guest_entry & copied) | (allowed << 9) | allowed
        if not guest_entry & D:
            entry &= ~W
        hfn = vm.memory.frames[gpa >> 12]
        if hfn is None or gpa == 0:
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
