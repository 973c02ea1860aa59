# SPDX-License-Identifier: GPL-2.0-only
import pytest

from kvmmmu_lab.inspect.dump import rmap_part, state
from kvmmmu_lab.mmu.bits import PS_MARK

from .guests import ALL, IO, NX, PAGED, SHADOW_U, SHADOW_W, A, D, G, Guest, P, U, W, kinds, leaf


def flags_after(mode, flags, **access):
    guest = Guest(mode)
    guest.map(0x1000, flags=flags)
    assert guest.vm.access(0x1000, **access).outcome == "ok"
    return leaf(guest.vm)[0]


@pytest.mark.parametrize("mode", PAGED)
def test_while_the_guests_dirty_bit_is_clear_the_shadow_is_not_writable(mode):
    assert flags_after(mode, ALL) == P | U | A | SHADOW_W | SHADOW_U
    assert flags_after(mode, ALL | D) == ALL | A | D | SHADOW_W | SHADOW_U


@pytest.mark.parametrize("mode", PAGED)
def test_the_first_write_sets_the_guests_dirty_bit_and_makes_the_shadow_writable(mode):
    guest = Guest(mode)
    gfn = guest.map(0x1000)
    guest.vm.access(0x1000)
    assert rmap_part(guest.vm) == []
    guest.vm.access(0x1000, write=True)
    assert guest.entry(0x1000) & D
    assert leaf(guest.vm)[0] & W
    assert [frame for frame, *_ in rmap_part(guest.vm)] == [gfn]


def test_an_entry_that_is_writable_at_once_marks_its_frame_dirty_in_the_log():
    """Later writes don't fault, so the frame counts as written, even after a read."""
    guest = Guest("64", [(0, 0x100, True)])
    clean, dirty = guest.map(0x1000, flags=ALL | A), guest.map(0x2000, flags=ALL | A | D)
    guest.vm.access(0x1000)
    guest.vm.dirty_log(0)
    guest.vm.access(0x2000)
    assert guest.vm.dirty_log(0) == [dirty]
    guest.vm.access(0x1000)
    assert clean not in guest.vm.dirty_log(0)


@pytest.mark.parametrize("flags", [P, P | W, P | U, ALL])
def test_bits_10_and_11_record_what_the_guest_allows(flags):
    noted = flags_after("64", flags)
    assert bool(noted & SHADOW_W) == bool(flags & W)
    assert bool(noted & SHADOW_U) == bool(flags & U) == bool(noted & U)


def test_the_rights_above_are_enforced_at_level_1():
    guest = Guest("64")
    guest.map(0x1000, flags=ALL | D, upper=P | U)
    guest.vm.access(0x1000)
    assert leaf(guest.vm)[0] & (W | U | SHADOW_W | SHADOW_U) == U | SHADOW_U


def test_global_and_no_execute_are_copied():
    assert flags_after("64", ALL | G | NX) & (G | NX) == G | NX
    assert flags_after("32", ALL | G) & (G | NX) == G


def test_write_through_bits_and_software_bits_are_not_copied():
    assert flags_after("64", ALL | 3 << 3 | 7 << 9) == flags_after("64", ALL)


def test_without_memory_the_entry_is_an_io_entry():
    guest = Guest("64")
    guest.map(0x1000, 0xFEE00, flags=ALL | D)
    assert guest.vm.access(0x1004) == ("mmio", 0xFEE00004, 1, None)
    flags, kind, target = leaf(guest.vm)
    assert (flags & (IO | P), kind, target) == (IO, "i", 0xFEE00)
    assert rmap_part(guest.vm) == []


def test_each_access_to_an_io_entry_faults_and_is_emulated():
    guest = Guest("64")
    guest.map(0x1000, 0xFEE00)
    for write in (False, True, True):
        access = guest.vm.access(0x1000, write=write)
        assert (access.outcome, access.faults) == ("mmio", 1)


def test_a_frame_that_is_a_page_table_is_mapped_read_only():
    guest = Guest("64")
    guest.map(0x1000, flags=ALL | D)
    guest.map(0x40000000, guest.table_gfn(0x1000), flags=ALL | D)
    guest.vm.access(0x1000)
    flushes = guest.vm.stats.tlb_flushes
    guest.vm.access(0x40000000)
    assert [gfn for gfn, *_ in rmap_part(guest.vm)] == [guest.entry(0x1000) >> 12 & 0xFFFFF]
    assert guest.vm.stats.tlb_flushes == flushes + 1


def test_a_large_page_is_shadowed_in_4k_pages_below_a_marked_link():
    guest = Guest("64", [(0, 0x100), (0x400, 0x200)])
    guest.map(0, 0x400, large=True)
    assert guest.vm.access(0x5123).gpa == 0x405123
    assert leaf(guest.vm)[2] == 0x405
    above = [flags for _, entries in state(guest.vm)["sptes"] for _, flags, kind, _ in entries if kind == "s"]
    assert [bool(flags & PS_MARK) for flags in above].count(True) == 1


@pytest.mark.parametrize("flags", [P, P | W, P | U])
def test_large_pages_of_one_frame_with_different_rights_have_different_shadows(flags):
    """The kernel's code looks wrong, but isn't: the role includes the rights of a large page."""
    guest = Guest("64", [(0, 0x100), (0x400, 0x200)])
    guest.map(0, 0x400, large=True)
    guest.map(0x200000, 0x400, flags=flags, large=True)
    assert guest.vm.access(0, write=True, user=True).outcome == "ok"
    assert guest.vm.access(0x200000).outcome == "ok"
    assert guest.vm.access(0x200000, write=True).outcome == ("ok" if flags & W else "inject")
    assert guest.vm.access(0x200000, user=True).outcome == ("ok" if flags & U else "inject")


# 2007


def test_2007_pse36_frame_mismatch():
    """The walk ignores bits 13..16 of a large 4-byte entry, the shadow uses them as address bits 32..35."""
    guest = Guest("32", [(0, 0x800), (0x100400, 0x400)])
    guest.map(0, 0x400 | 1 << 1, large=True)  # bit 13 of the entry is bit 1 of its frame
    assert guest.vm.gva_to_gpa(0x1000) == 0x401000
    assert guest.vm.access(0x1000).gpa == 0x100401000
    assert kinds(guest.vm.audit()) == ["map"]


def test_2007_nx_bit63_without_nxe():
    """Bit 63 is copied even while the guest's EFER.NX is off, but the host has it on: the fetch faults forever."""
    guest = Guest("64")
    guest.start(efer=1 << 8)
    guest.map(0x1000, flags=ALL | NX)
    assert guest.vm.access(0x1000, fetch=True).outcome == "stuck"


def test_2007_nx_of_upper_levels_is_not_inherited():
    guest = Guest("64")
    guest.map(0x1000, upper=ALL | NX)
    assert guest.vm.access(0x1000, fetch=True).outcome == "inject", "while the shadow is empty"
    guest.vm.access(0x1000)
    assert guest.vm.access(0x1000, fetch=True).outcome == "ok", "afterwards it is allowed"


def test_2007_large_nx_set_ignored():
    """The role of a large page doesn't include NX: existing leaves are used again."""
    guest = Guest("64", [(0, 0x100), (0x400, 0x200)])
    guest.map(0, 0x400, large=True)
    guest.vm.access(0, fetch=True)
    guest.edit(0, guest.entry(0, 2) | NX, level=2)
    guest.vm.access(0)
    assert guest.vm.access(0, fetch=True).outcome == "ok"


def test_2007_large_dirty_cleared_lost():
    """The guest clears the dirty bit of a large page; its writable leaves are used again, so it is never set again."""
    guest = Guest("64", [(0, 0x100), (0x400, 0x200)])
    guest.map(0, 0x400, large=True)
    guest.vm.access(0, write=True)
    assert guest.entry(0, 2) & D
    guest.edit(0, guest.entry(0, 2) & ~D, level=2)
    assert guest.vm.access(0, write=True).outcome == "ok"
    assert not guest.entry(0, 2) & D


def test_the_dirty_bit_of_a_small_page_that_is_cleared_is_set_again():
    guest = Guest("64")
    guest.map(0x1000)
    guest.vm.access(0x1000, write=True)
    guest.edit(0x1000, guest.entry(0x1000) & ~D)
    assert guest.vm.access(0x1000, write=True).faults == 1
    assert guest.entry(0x1000) & D


def test_a_read_restores_the_user_access_that_a_kernel_write_removed_and_removes_write_access():
    guest = Guest("64", cr0=1 << 31 | 1)
    guest.map(0x1000, flags=P | U)
    guest.vm.access(0x1000, write=True)
    assert leaf(guest.vm)[0] & (W | U) == W, "a kernel page, so that the host sees the user's write"
    guest.vm.access(0x1000, user=True)
    assert leaf(guest.vm)[0] & (W | U) == U
    assert kinds(guest.vm.audit()) == ["rmap"], "2007: the reverse map still has it"
