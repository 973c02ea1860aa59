# SPDX-License-Identifier: GPL-2.0-only


class dirty_by_address(steps):
    """It marks gpa itself dirty instead of its frame number."""

    def map_frame(vm, spte, entry, hfn, gpa, gfn):
        entry = protected(vm, entry, gfn)
        if entry & W:
            vm.memory.mark_dirty(gpa)
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class dirty_only_first_time(steps):
    """A frame is marked dirty only if the old entry could not write."""

    def map_frame(vm, spte, entry, hfn, gpa, gfn):
        entry = protected(vm, entry, gfn)
        if entry & W and not vm.memory.words[spte] & W:
            vm.memory.mark_dirty(gpa >> 12)
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class marked_dirty_if_allowed(steps):
    """A frame is marked dirty if the guest allows writing, even if W is withheld."""

    def map_frame(vm, spte, entry, hfn, gpa, gfn):
        entry = protected(vm, entry, gfn)
        if entry & W << 9:
            vm.memory.mark_dirty(gpa >> 12)
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class marked_dirty_if_guest_dirty(steps):
    """A frame is marked dirty if the guest's entry is dirty."""

    def map_frame(vm, spte, entry, hfn, gpa, gfn):
        entry = protected(vm, entry, gfn)
        if entry & D:
            vm.memory.mark_dirty(gpa >> 12)
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class marks_the_first_frame_dirty(steps):
    """The frame marked dirty is the first one of a large page."""

    def set_spte(vm, spte, guest_entry, rights, gpa, gfn):
        entry = flags(vm, guest_entry, allowed(guest_entry, rights))
        hfn = vm.memory.frames[gpa >> 12]
        if hfn is None:
            vm.memory.put(spte, io_entry(entry, gpa), ev.MAKE_SPTE)
            return
        entry = protected(vm, entry, gfn)
        if entry & W:
            vm.memory.mark_dirty((guest_entry & 0x000FFFFFFFFFF000) >> 12)
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class no_dirty_mark(steps):
    """A writable frame is not marked dirty."""

    def map_frame(vm, spte, entry, hfn, gpa, gfn):
        entry = protected(vm, entry, gfn)
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)


class read_only_marked_dirty(steps):
    """A frame is marked dirty even if it can't be written."""

    def map_frame(vm, spte, entry, hfn, gpa, gfn):
        entry = protected(vm, entry, gfn)
        vm.memory.mark_dirty(gpa >> 12)
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)
