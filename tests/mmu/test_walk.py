# SPDX-License-Identifier: GPL-2.0-only
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvmmmu_lab import Vm
from kvmmmu_lab.mmu.walk import gva_to_gpa, walk_guest

from .guests import ALL, NX, ON, PAGED, PE, PG, PS, A, D, Guest, P, U, W, oracle


def walk(guest, gva, write=False, user=False, fetch=False):
    return walk_guest(guest.vm, gva, write, user, fetch)


@pytest.mark.parametrize("mode, levels", [("32", [2, 1]), ("pae", [2, 1]), ("64", [4, 3, 2, 1])])
def test_a_walk_returns_the_tables_on_its_path_and_the_frame_at_its_end(mode, levels):
    guest = Guest(mode)
    gfn = guest.map(0x1234000)
    result = walk(guest, 0x1234567)
    assert (result.error, result.gfn, result.level) == (None, gfn, 1)
    assert [result.tables[level] for level in levels] == [guest.table_gfn(0x1234000, level) for level in levels]


@pytest.mark.parametrize("mode", PAGED)
def test_accessed_bits_are_set_on_every_level(mode):
    guest = Guest(mode)
    guest.map(0x1000)
    walk(guest, 0x1000)
    for level in range(1, guest.mode.levels + 1):
        in_pdpt = mode == "pae" and level == 3
        assert bool(guest.entry(0x1000, level) & A) is not in_pdpt, "a PDPTE has no accessed bit"


def test_accessed_bits_above_the_entry_that_denies_are_already_set():
    guest = Guest("64")
    guest.map(0x1000, flags=P)
    assert walk(guest, 0x1000, user=True).error == 5
    assert [bool(guest.entry(0x1000, level) & A) for level in (4, 3, 2, 1)] == [True, True, True, False]


@pytest.mark.parametrize("wp", [True, False])
@pytest.mark.parametrize("flags", [0, P, P | W, P | U, ALL, ALL | NX])
@pytest.mark.parametrize("access", [(0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 0), (0, 0, 1), (0, 1, 1)])
def test_all_combinations_of_flags_and_accesses(flags, access, wp):
    write, user, fetch = map(bool, access)
    guest = Guest("64", cr0=ON if wp else PG | PE)
    guest.map(0x1000, flags=flags)
    allowed = flags & P and not (write and not flags & W and (user or wp)) and not (user and not flags & U)
    allowed = allowed and not (fetch and flags & NX)
    code = bool(flags & P) | write << 1 | user << 2 | fetch << 4
    assert walk(guest, 0x1000, write, user, fetch).error == (None if allowed else code)


@pytest.mark.parametrize("mode", PAGED)
@given(data=st.data())
def test_walks_agree_with_the_oracle_for_random_entries(mode, data):
    """Random rights on every level: the same frame, or a fault. The present bit of the error code may differ if an upper
    entry denies and a lower one isn't present: this walk stops at the first entry that denies."""
    guest = Guest(mode, cr0=data.draw(st.sampled_from([ON, PG | PE])))
    flags = st.sampled_from([0, P, P | W, P | U, ALL, ALL | A | D] + [ALL | NX] * (mode != "32"))
    large = data.draw(st.booleans())
    guest.map(0x1234000, 0x400 if large else None, large=large)
    for level in range(1 + large, guest.mode.levels + (mode != "pae")):
        gpa = guest.entry_gpa(0x1234000, level)
        entry = guest.read(gpa) & ~ALL | data.draw(flags)
        guest.vm.poke(gpa, entry, guest.mode.size)
        if not entry & P:
            break
    write, user, fetch = data.draw(st.sampled_from([(0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 0), (0, 0, 1), (0, 1, 1)]))
    expected = oracle(guest.vm, 0x1234567, bool(write), bool(user), bool(fetch))
    result = walk(guest, 0x1234567, bool(write), bool(user), bool(fetch))
    if expected.error is None:
        assert (result.error, result.gfn) == (None, expected.gpa >> 12)
    else:
        assert result.error is not None and result.error | P == expected.error | P


@pytest.mark.parametrize("mode, gva", [("32", 0x345678), ("pae", 0x145678), ("64", 0x145678)])
def test_a_large_page_ends_the_walk_at_level_2_with_the_4k_frame_of_the_address(mode, gva):
    guest = Guest(mode)
    guest.map(0, 0x400, large=True)
    result = walk(guest, gva)
    assert (result.level, result.gfn) == (2, 0x400 + (gva >> 12))


def test_without_cr4_pse_the_page_size_bit_of_a_4_byte_entry_means_nothing():
    guest = Guest("32")
    gfn = guest.map(0x1000)
    guest.vm.poke(guest.entry_gpa(0x1000, 2), guest.entry(0x1000, 2) | PS, 4)
    assert walk(guest, 0x1000).level == 2
    guest.start(cr4=0)
    result = walk(guest, 0x1000)
    assert (result.level, result.gfn) == (1, gfn)


def test_the_rights_of_a_walk_leave_out_those_of_the_last_entry():
    guest = Guest("64")
    guest.map(0x1000, flags=P)
    assert walk(guest, 0x1000).rights == W | U
    guest.vm.poke(guest.entry_gpa(0x1000, 3), guest.entry(0x1000, 3) & ~W)
    assert walk(guest, 0x1000).rights == U


def test_a_pdpte_that_is_not_present_ends_the_walk_as_not_present():
    guest = Guest("pae")
    guest.vm.poke(guest.root << 12 | 8, 0)
    guest.vm.load_cr3(guest.root << 12)
    assert walk(guest, 0x40000000, write=True).error == 2


def test_a_table_outside_memory_reads_as_zeroes():
    guest = Guest("64")
    guest.map(0x1000)
    guest.vm.poke(guest.entry_gpa(0x1000, 2), 0xFFFF << 12 | ALL)
    assert walk(guest, 0x1000, user=True).error == 4


def test_2007_a_fetch_is_reported_whether_nx_is_on_or_not():
    guest = Guest("64")
    guest.start(efer=1 << 8)
    assert walk(guest, 0x1000, fetch=True).error == 0x10


def test_nx_denies_a_fetch_only_while_efer_nx_is_on():
    guest = Guest("64")
    guest.map(0x1000, flags=ALL | NX)
    assert walk(guest, 0x1000, fetch=True).error == 0x11
    guest.start(efer=1 << 8)
    assert walk(guest, 0x1000, fetch=True).error is None


def test_bit_63_of_any_level_denies_a_fetch_in_the_guests_own_walk():
    guest = Guest("64")
    guest.map(0x1000, upper=ALL | NX)
    assert walk(guest, 0x1000, fetch=True).error == 0x11


def test_setting_an_accessed_bit_marks_the_table_dirty_in_the_log():
    guest = Guest("64", [(0, 0x100, True)])
    guest.map(0x1000)
    walk(guest, 0x1000)
    assert guest.vm.dirty_log(0) == sorted(guest.table_gfn(0x1000, level) for level in (1, 2, 3, 4))
    walk(guest, 0x1000)
    assert guest.vm.dirty_log(0) == []


def test_without_paging_an_address_is_its_own_translation():
    vm = Vm([(0, 4)])
    assert gva_to_gpa(vm, 0x12345678) == 0x12345678


def test_a_translation_is_a_supervisor_read_and_sets_accessed_bits():
    guest = Guest("64")
    gfn = guest.map(0x1000, flags=P)
    assert guest.vm.gva_to_gpa(0x1ABC) == gfn << 12 | 0xABC
    assert guest.entry(0x1000) & A
    assert guest.vm.gva_to_gpa(0x5000) is None
    assert guest.vm.injected == [], "no fault"
