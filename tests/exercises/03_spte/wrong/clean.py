# SPDX-License-Identifier: GPL-2.0-only


class clean_by_accessed(steps):
    """It looks at the accessed bit instead of the dirty bit."""

    def flags(vm, guest_entry, rights):
        entry = copied(vm, guest_entry) | rights | marks(rights)
        return entry if guest_entry & A else entry & ~W


class clean_loses_all_rights(steps):
    """A clean entry loses U as well as W."""

    def flags(vm, guest_entry, rights):
        entry = copied(vm, guest_entry) | rights | marks(rights)
        return entry if guest_entry & D else entry & ~(W | U)


class clean_loses_the_mark(steps):
    """A clean entry loses the mark in bit 10 together with W."""

    def flags(vm, guest_entry, rights):
        entry = copied(vm, guest_entry) | rights | marks(rights)
        return entry if guest_entry & D else entry & ~(W | W << 9)


class clean_only_with_wp(steps):
    """While CR0.WP is clear, a clean entry keeps W."""

    def flags(vm, guest_entry, rights):
        entry = copied(vm, guest_entry) | rights | marks(rights)
        return entry if guest_entry & D or not vm.cpu.cr0 >> 16 & 1 else entry & ~W


class clean_small_pages_only(steps):
    """The entry of a large page keeps W though it is clean."""

    def flags(vm, guest_entry, rights):
        entry = copied(vm, guest_entry) | rights | marks(rights)
        return entry if guest_entry & (D | 1 << 7) else entry & ~W


class mark_only_if_granted(steps):
    """Bit 10 is set only if W is granted, not whenever it is allowed."""

    def flags(vm, guest_entry, rights):
        if not guest_entry & D:
            rights &= ~W
        return copied(vm, guest_entry) | rights | marks(rights)


class writable_though_clean(steps):
    """W is set although the guest's entry is clean."""

    def flags(vm, guest_entry, rights):
        return copied(vm, guest_entry) | rights | marks(rights)


class clean_unless_accessed(steps):
    """A dirty entry that was not accessed counts as clean."""

    def flags(vm, guest_entry, rights):
        entry = copied(vm, guest_entry) | rights | marks(rights)
        return entry if guest_entry & D and guest_entry & A else entry & ~W
