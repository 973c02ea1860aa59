# SPDX-License-Identifier: GPL-2.0-only
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvmmmu_lab.inspect.dump import state

from .guests import ALL, PAGED, D, Guest, leaves, shadows


def filled(mode="64", pages=4, flags=ALL | D, base=0, **options):
    """A guest with ``pages`` consecutive pages, mapped and shadowed."""
    guest = Guest(mode, **options)
    for n in range(pages):
        guest.map(base + n * 0x1000, flags=flags)
        guest.vm.access(base + n * 0x1000)
    return guest


def zapped(guest, before):
    """The indexes of the leaves that were zapped."""
    return sorted(index for id, index in before.keys() - leaves(guest.vm).keys())


@pytest.mark.parametrize("mode", PAGED)
def test_a_write_to_an_entry_zaps_its_shadow_and_no_other(mode):
    guest = filled(mode)
    before = leaves(guest.vm)
    guest.edit(0x2000, 0)
    assert zapped(guest, before) == [2]
    assert guest.vm.access(0x2000).outcome == "inject"


@pytest.mark.parametrize("mode", PAGED)
def test_a_write_of_the_same_value_zaps_too(mode):
    guest = filled(mode)
    before = leaves(guest.vm)
    guest.edit(0x2000, guest.entry(0x2000))
    assert zapped(guest, before) == [2]


@given(st.sampled_from(PAGED), st.integers(0, 4095), st.sampled_from([1, 2, 4, 8]))
def test_any_write_inside_one_entry_zaps_it_alone_and_any_other_zaps_the_page(mode, offset, size):
    """The law, for all offsets and sizes."""
    guest = filled(mode, pages=3)
    before, entry_size = leaves(guest.vm), guest.mode.size
    gpa = (guest.table_gfn(0) << 12) + offset
    if offset + size > 4096:
        assert not guest.vm.emulate_write_gpa(gpa, 0, size)
        assert zapped(guest, before) == []
        return
    guest.vm.emulate_write_gpa(gpa, guest.vm.peek(gpa, size), size)
    aligned = offset // entry_size == (offset + size - 1) // entry_size
    index = offset // entry_size % 512  # both quadrants of a 4-byte table are zapped (2007: see quadrant_overzap below)
    assert zapped(guest, before) == ([n for n in range(3) if n == index] if aligned else [0, 1, 2])
    assert bool(shadows(guest.vm, gpa >> 12)) == aligned


def test_a_write_to_a_directory_of_a_32_bit_guest_zaps_two_entries():
    """4 MiB of the guest take two shadow entries of 2 MiB."""
    guest = filled("32", pages=1)
    guest.map(0x200000)
    guest.vm.access(0x200000)
    assert shadow_links(guest) == [0, 1]
    guest.edit(0, guest.entry(0, 2), level=2)
    assert shadow_links(guest) == []


def shadow_links(guest):
    roots = set(state(guest.vm)["mmu"][2])
    return [index for id, entries in state(guest.vm)["sptes"] if id in roots for index, *_ in entries]


def test_a_write_to_a_directory_unlinks_the_table_below_which_stays_in_the_hash():
    guest = filled("64", pages=2)
    before = leaves(guest.vm)
    guest.edit(0, guest.entry(0, 2), level=2)
    assert leaves(guest.vm) == before
    assert guest.vm.access(0x1000).faults == 1, "the link has to be made again"
    assert leaves(guest.vm) == before


def test_an_io_entry_is_zapped_too():
    guest = filled("64", pages=1)
    guest.map(0x1000, 0xFEE00)
    guest.vm.access(0x1000)
    before = leaves(guest.vm)
    guest.edit(0x1000, guest.frame() << 12 | ALL)
    assert zapped(guest, before) == [1]
    assert guest.vm.access(0x1000).outcome == "ok"


def test_a_frame_that_is_several_tables_is_zapped_in_all_its_shadows():
    guest = Guest("64")
    guest.vm.poke(guest.root << 12, guest.root << 12 | ALL)
    guest.vm.access(0)
    assert len(shadows(guest.vm, guest.root)) == 4
    guest.vm.emulate_write_gpa(guest.root << 12, 0, 8)
    assert guest.vm.access(0).outcome == "inject"


# Flooding


@pytest.mark.parametrize("writes, flooded", [(1, False), (2, False), (3, True)])
def test_the_third_write_in_a_row_to_one_frame_zaps_the_page(writes, flooded):
    guest = filled("64")
    for n in range(writes):
        guest.edit(n * 0x1000, 0)
    assert bool(shadows(guest.vm, guest.table_gfn(0))) is not flooded


def test_a_write_to_another_frame_resets_the_count():
    guest = filled("64")
    for n in range(6):
        guest.edit((n % 4) * 0x1000, 0)
        guest.vm.emulate_write_gpa(0x100000 + n, 0, 1)  # any frame will do
    assert shadows(guest.vm, guest.table_gfn(0))


def test_2007_flood_counts_forever():
    """Faults never reset the count: even a table that is used between the writes is zapped."""
    guest = filled("64")
    for n in range(3):
        guest.edit(0x1000, guest.entry(0x1000))
        if n < 2:
            assert guest.vm.access(0x1000).faults == 1
    assert shadows(guest.vm, guest.table_gfn(0)) == []
    assert guest.vm.stats.flood_zaps == 1


def test_2007_flood_zaps_root():
    """A live root is cleared and stays."""
    guest = filled("64", pages=1)
    (root,) = shadows(guest.vm, guest.root)
    for _ in range(3):
        guest.vm.emulate_write_gpa(guest.root << 12 | 0xFF8, 0, 8)
    assert shadows(guest.vm, guest.root) == [root]
    assert root not in dict(map(tuple, state(guest.vm)["sptes"]))
    assert guest.vm.access(0).outcome == "ok"


# Quadrants


def test_2007_quadrant_overzap():
    """A write to one half of a 4-byte page table also zaps the entry at the same index in the other half's shadow."""
    guest = filled("32", pages=1)
    guest.map(0x200000)
    guest.vm.access(0x200000)
    assert len(leaves(guest.vm)) == 2
    guest.edit(0x200000, guest.entry(0x200000))
    assert len(leaves(guest.vm)) == 0, "entry 512 was written, entry 0 is zapped as well"


def test_2007_quadrant_overzap_of_a_directory():
    guest = filled("32", pages=1)
    guest.map(0x40000000)
    guest.vm.access(0x40000000)
    assert shadow_links(guest) == [0, 0]
    guest.edit(0x40000000, guest.entry(0x40000000, 2), level=2)
    assert shadow_links(guest) == []


def test_a_write_to_a_frame_without_a_shadow_zaps_nothing():
    guest = filled("64")
    before = leaves(guest.vm)
    guest.vm.emulate_write_gpa(guest.map(0x9000) << 12, 0, 8)
    assert leaves(guest.vm) == before


def test_a_write_to_the_first_frame_of_a_large_page_is_no_page_table_write():
    """The shadow page of the large page is in the hash under that gfn, but shadows no table."""
    guest = Guest("64", [(0, 0x100), (0x400, 0x200)])
    guest.map(0, 0x400, large=True)
    guest.vm.access(0)
    before = leaves(guest.vm)
    for offset in (0, 8, 0xFF8):
        guest.vm.emulate_write_gpa(0x400 << 12 | offset, 1, 8)
    assert leaves(guest.vm) == before
