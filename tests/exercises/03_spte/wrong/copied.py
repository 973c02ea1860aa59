# SPDX-License-Identifier: GPL-2.0-only

import numpy as np


class accessed_always_set(straight):
    """The accessed bit is always set."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        copied = P | A | D | G
        if vm.root_level != 2:
            copied |= NX
        allowed = rights & guest_entry & (W | U)
        entry = (guest_entry & copied) | A | (allowed << 9) | allowed
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


class all_low_bits_copied(straight):
    """All bits below 12 are copied, and only W is looked at again."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        copied = 0xFFF & ~(W | U)
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
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class cache_bits_copied(straight):
    """Bits 3 and 4 are copied, too."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        copied = P | A | D | G | 0x18
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
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class dirty_not_copied(straight):
    """The dirty bit isn't copied."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        copied = P | A | G
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
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class frame_of_the_guest_entry(straight):
    """The frame is taken out of the guest's entry: wrong for large pages."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        copied = P | A | D | G
        if vm.root_level != 2:
            copied |= NX
        allowed = rights & guest_entry & (W | U)
        entry = (guest_entry & copied) | (allowed << 9) | allowed
        if not guest_entry & D:
            entry &= ~W
        hfn = vm.memory.frames[(guest_entry & 0xFFFFFFFFFF000) >> 12]
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


class frames_get(straight):
    """Asks frames with get, which answers None for all that nobody asked about before."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        copied = P | A | D | G
        if vm.root_level != 2:
            copied |= NX
        allowed = rights & guest_entry & (W | U)
        entry = (guest_entry & copied) | (allowed << 9) | allowed
        if not guest_entry & D:
            entry &= ~W
        hfn = vm.memory.frames.get(gpa >> 12)
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


class global_not_copied(straight):
    """The global bit isn't copied."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        copied = P | A | D
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
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class guest_frame_kept(straight):
    """The entry leads to the guest's frame number, not to the host's."""

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
        vm.memory.put(spte, entry | gpa, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class hfn_of_20_bits(names):
    """Cuts the host frame to 20 bits."""

    PLACE = np.arange(64, dtype=np.uint64)

    ONE = np.uint64(1)

    COPIED = np.zeros(64, dtype=np.uint64)

    COPIED[[0, 5, 6, 8, 63]] = 1

    def vector(number):
        return (np.array([int(number)], dtype=np.uint64) >> PLACE) & ONE

    def number(bits):
        return int(np.bitwise_or.reduce(bits << PLACE))

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        guest, above = vector(guest_entry), vector(rights)
        allowed = guest & above
        new = guest & COPIED
        if vm.root_level == 2:
            new[63] = 0
        new[10:12] = allowed[1:3]
        new[1:3] = allowed[1:3]
        new[1] &= guest[6]
        hfn = vm.memory.frames[gpa >> 12]
        if hfn is None:
            new[12:52] = vector(gpa)[12:52]
            new[0], new[9] = 0, 1
            vm.memory.put(spte, number(new), ev.MAKE_SPTE)
            return None
        new[12:52] = vector(hfn & 0xFFFFF)[:40]
        if new[1] and vm.pool.lookup(gfn) is not None:
            new[1] = 0
            vm.flush_tlb()
        vm.memory.put(spte, number(new), ev.MAKE_SPTE)
        if new[1] == 1:
            vm.memory.mark_dirty(gpa >> 12)
        vm.rmap.add(spte)
        update_slot(vm, spte, gpa >> 12)
        return None


class high_bits_copied(straight):
    """Bits 52 to 62 are copied together with NX."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        copied = P | A | D | G
        if vm.root_level != 2:
            copied |= 0xFFF << 52
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
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class large_bit_copied(straight):
    """PS is copied."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        copied = P | A | D | G | 128
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
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class nx_from_bit_31(straight):
    """In a 32-bit guest the uppermost bit of the entry is taken for NX."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        copied = P | A | D | G
        if vm.root_level != 2:
            copied |= NX
        high = 1 << 63 if vm.root_level == 2 and guest_entry >> 31 & 1 else 0
        allowed = rights & guest_entry & (W | U)
        entry = high | (guest_entry & copied) | (allowed << 9) | allowed
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


class nx_not_copied(straight):
    """NX isn't copied."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        copied = P | A | D | G
        if vm.root_level != 2:
            pass
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
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class nx_only_in_64_bit_guests(straight):
    """NX is copied only for 64-bit guests, not for PAE ones."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        copied = P | A | D | G
        if vm.root_level == 4:
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
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class nx_only_with_efer(straight):
    """NX is copied only while EFER.NX is on."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        copied = P | A | D | G
        if vm.root_level != 2 and vm.cpu.efer >> 11 & 1:
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
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class old_entry_kept(straight):
    """What stood in the shadow entry is kept, and bits are added."""

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
        vm.memory.put(spte, vm.memory.words[spte] & 0xFFF | entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class past_the_door(straight):
    """Writes the entry straight into memory instead of through put."""

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
        vm.memory.words[spte] = entry | hfn << 12
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)
