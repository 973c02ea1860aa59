# SPDX-License-Identifier: GPL-2.0-only


class no_rmap(steps):
    """The entry is not added to the reverse map."""

    def map_frame(vm, spte, entry, hfn, gpa, gfn):
        entry = protected(vm, entry, gfn)
        if entry & W:
            vm.memory.mark_dirty(gpa >> 12)
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)


class no_slot(steps):
    """The shadow page does not note the slot."""

    def map_frame(vm, spte, entry, hfn, gpa, gfn):
        entry = protected(vm, entry, gfn)
        if entry & W:
            vm.memory.mark_dirty(gpa >> 12)
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        vm.rmap.add(spte)


class rmap_before_the_entry(steps):
    """It calls `rmap.add` before the entry is written, so that the old entry is added."""

    def map_frame(vm, spte, entry, hfn, gpa, gfn):
        entry = protected(vm, entry, gfn)
        if entry & W:
            vm.memory.mark_dirty(gpa >> 12)
        vm.rmap.add(spte)
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)


class rmap_only_new(steps):
    """It calls `rmap.add` only if the old entry was not present."""

    def map_frame(vm, spte, entry, hfn, gpa, gfn):
        entry, before = protected(vm, entry, gfn), vm.memory.words[spte]
        if entry & W:
            vm.memory.mark_dirty(gpa >> 12)
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        if not before & P:
            vm.rmap.add(spte)


class rmap_only_of_user_pages(steps):
    """It calls `rmap.add` only for entries that user code may use."""

    def map_frame(vm, spte, entry, hfn, gpa, gfn):
        entry = protected(vm, entry, gfn)
        if entry & W:
            vm.memory.mark_dirty(gpa >> 12)
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        if entry & U:
            vm.rmap.add(spte)


class rmap_twice(steps):
    """It calls `rmap.add` twice."""

    def map_frame(vm, spte, entry, hfn, gpa, gfn):
        entry = protected(vm, entry, gfn)
        if entry & W:
            vm.memory.mark_dirty(gpa >> 12)
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)
        vm.rmap.add(spte)


class slot_of_the_table(steps):
    """The slot noted is that of the guest's page table instead of the frame's."""

    def map_frame(vm, spte, entry, hfn, gpa, gfn):
        entry = protected(vm, entry, gfn)
        if entry & W:
            vm.memory.mark_dirty(gpa >> 12)
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        update_slot(vm, spte, vm.pool.pages[(spte >> 9) - 256].gfn)
        vm.rmap.add(spte)


class slot_only_if_writable(steps):
    """The slot is noted only for writable entries."""

    def map_frame(vm, spte, entry, hfn, gpa, gfn):
        entry = protected(vm, entry, gfn)
        if entry & W:
            vm.memory.mark_dirty(gpa >> 12)
        vm.memory.put(spte, entry | hfn << 12, ev.MAKE_SPTE)
        if entry & W:
            update_slot(vm, spte, gpa >> 12)
        vm.rmap.add(spte)
