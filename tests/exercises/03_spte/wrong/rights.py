# SPDX-License-Identifier: GPL-2.0-only


class marks_of_the_guest_entry(steps):
    """The marks are the rights of the guest's entry, without those of the levels above it."""

    def flags(vm, guest_entry, rights):
        entry = copied(vm, guest_entry) | rights | marks(guest_entry & (W | U))
        return entry if guest_entry & D else entry & ~W


class marks_one_too_high(steps):
    """The marks are one bit too high."""

    def marks(rights):
        return rights << 10


class marks_swapped(steps):
    """The two marks are swapped."""

    def marks(rights):
        return (rights & W) << 10 | (rights & U) << 8


class no_marks(steps):
    """Bits 10 and 11 are never set."""

    def marks(rights):
        return 0


class rights_of_the_entry_ignored(steps):
    """W and U are those of the levels above alone."""

    def allowed(guest_entry, rights):
        return rights & (W | U)


class rights_of_the_path_ignored(steps):
    """W and U are those of the guest's last entry alone."""

    def allowed(guest_entry, rights):
        return guest_entry & (W | U)


class rights_ored(steps):
    """A right is allowed if the entry or the levels above it allow it."""

    def allowed(guest_entry, rights):
        return (rights | guest_entry) & (W | U)


class user_gets_write(steps):
    """Where U is allowed, the entry alone decides about W."""

    def allowed(guest_entry, rights):
        both = rights & guest_entry & (W | U)
        return both | guest_entry & W if both & U else both


class write_for_kernel_without_wp(steps):
    """While CR0.WP is clear, W is always set."""

    def flags(vm, guest_entry, rights):
        entry = copied(vm, guest_entry) | rights | marks(rights)
        if not guest_entry & D:
            return entry & ~W
        return entry if vm.cpu.cr0 >> 16 & 1 else entry | W
