# SPDX-License-Identifier: GPL-2.0-only
"""Lessons 9 and 10: their cells show what the text says about stores to page tables."""

import re

import pytest

from kvmmmu_lab.labs import small_guest
from kvmmmu_lab.lessons.lesson_09 import eight_pages
from kvmmmu_lab.lessons.sptes import sptes

pytestmark = pytest.mark.slow

NINE, TEN = "09_pre_write", "10_pre_write_32"


@pytest.fixture(scope="module")
def shown(ran, text_of):
    """A function that returns the text output of one cell, by the lesson's name and a part of the cell's source."""

    def look(name, source):
        cells = [cell for cell in ran(name).cells if cell.cell_type == "code" and source in cell.source]
        assert len(cells) == 1, f"{len(cells)} cells contain {source!r}"
        return "\n".join(map(text_of, cells[0].outputs))

    return look


def zapped(film):
    """The shadow entries that are zapped one by one, in order."""
    return re.findall(r"The shadow entry (#\d+:\d+)", film)


def emptied(film):
    """The shadow entries that are cleared with their page, or with the page that they point to."""
    return re.findall(r"(#\d+:\d+) is cleared", film)


# Lesson 9


def test_a_leaf_leaves_its_reverse_map_then_becomes_zero_then_the_bytes_change(shown):
    film = shown(NINE, "watch_store(vm, entry.gpa, entry.moved)")
    order = ["The reverse map of gfn 0x29af drops #248:454", "The shadow entry #248:454", "Guest memory changes only now"]
    assert [film.index(words) for words in order] == sorted(film.index(words) for words in order)
    beam = shown(NINE, "store_diagram(vm, entry.gpa, 8)")
    assert "offset 0xe30" in beam and "/ 8 entry 454" in beam and "(from 454)" in beam


def test_a_directory_entry_costs_a_link_and_the_page_below_keeps_what_it_has(shown):
    film = shown(NINE, "watch_store(vm, directory, 0)")
    assert zapped(film) == ["#249:0"] and "forgets" not in film
    assert "no parent" in film and "3 more, 509 empty" in film
    assert "no entry leads here" in shown(NINE, "parent_chains(vm, 248)")
    assert "a lookup finds #248" in shown(NINE, "hash_table(vm, table)")
    again = shown(NINE, "watch(lambda: vm.access(0x2000, user=True), vm, [0x2000])")
    assert "Entry #249:0 now leads to shadow page #248" in again and "is taken from the pool" not in again
    assert "The spte" not in again, "no leaf is made again"
    assert shown(NINE, "vm.access(0x1000, user=True), vm.access(0x3000, user=True)").count("faults=0") == 2


def test_2007_a_directory_entry_with_fewer_rights_leaves_the_old_ones_below():
    """As lesson 9 says."""
    small = small_guest("64", 0x2000, 0x3000)
    directory, table = small.entry_gpa(0x2000, level=2), small.table(0x2000)
    for value in (0, table << 12 | 0x65):
        small.vm.emulate_write_gpa(directory, value, 8)
    assert small.vm.access(0x2000, user=True).faults == 1
    assert small.vm.access(0x3000, user=True, write=True)[:3:2] == ("ok", 0)


def test_a_table_that_is_shadowed_again_loses_its_page_at_the_next_write():
    """As lesson 9 says: a fault does not reset the count."""
    small = small_guest("64", 0x1000)
    for count in range(5):
        before = small.vm.stats.flood_zaps
        small.vm.emulate_write_gpa(small.entry_gpa(0x1000) + 64, 0, 8)
        assert small.vm.stats.flood_zaps - before == (count >= 2)
        assert small.vm.access(0x1000, user=True).faults == (count >= 2)


def test_a_part_of_an_entry_counts_as_the_entry_and_two_halves_zap_the_page(shown):
    _, offset, _, size = re.findall(r"\w+", shown(NINE, "small, gpa, size = lesson.partial_store(seed)"))
    index = int(offset, 16) // 8
    assert zapped(shown(NINE, "watch_store(vm, gpa, 0, size)")) == [f"#248:{index}"] and int(size) < 8
    assert f"It was: spte {index}." in shown(NINE, "guess_entry_hit.reveal")
    assert zapped(shown(NINE, "offset = 0x18")) == ["#248:3"]
    film = shown(NINE, "watch_store(vm, entry2 + 4, 0)")
    assert "cross the edge" in film and zapped(film) == []
    assert emptied(film) == ["#249:0", "#248:1", "#248:2", "#248:3"]
    assert "* 2 at 0x10" in film and "* 3 at 0x18" in film, "both entries are marked as changed"
    for offset, dead in ((0x17, [2]), (0x18, [3]), (0x1F, [3]), (0xFF8, [])):
        guest = eight_pages()
        before = sptes(guest.vm)
        guest.vm.emulate_write_gpa((guest.table(0) << 12) + offset, 0, 1)
        assert [spte & 511 for spte in before - sptes(guest.vm)] == dead


def test_a_write_to_another_table_starts_the_count_again(shown):
    row, left = shown(NINE, "small, tables, row = lesson.row_of_stores(seed)"), shown(NINE, "left.append(len(vm.pool.active))")
    names, counts = re.findall("[AB]", row), [int(number) for number in re.findall(r"\d+", left)]
    first = next((at for at in range(2, 7) if len(set(names[at - 2 : at + 1])) == 1), None)
    assert len(names) == len(counts) == 7 and first is not None, "the row of the usual seed has a flood"
    assert counts[first] < counts[first - 1] == counts[0]


def test_the_third_write_in_a_row_is_a_flood_wherever_it_goes(shown):
    film = shown(NINE, "watch_store(vm, entry1 + 8 * 8, 0)")
    assert "Write 3 in a row" in film and emptied(film) == ["#249:0", "#248:3"]
    assert "entry 9 of the guest table" in film


def test_an_io_mark_dies_without_a_reverse_map():
    """As lesson 9 says."""
    small = small_guest("64", 0x1000)
    small.map(0x5000, 0xFEE00)
    assert small.vm.access(0x5000).outcome == "mmio"
    small.vm.emulate_write_gpa(small.entry_gpa(0x5000), small.frame() << 12 | 0x67, 8)
    assert small.vm.access(0x5000).outcome == "ok"


def test_pages_of_other_gfns_and_of_no_table_are_skipped(shown):
    assert "of gfn 0x50c1, skipped: another gfn" in shown(NINE, "entry_of(linux, 0x400000).gpa")
    large = shown(NINE, "small.map(0x400000, 0x400, large=True)")
    assert "skipped: no guest table" in large and "nothing is zapped" in large and "entries of 8 bytes" not in large


def test_all_roles_of_a_table_are_hit():
    """As lesson 9 says: an entry of the root table that points to the root table is shadowed once for each level."""
    small = small_guest("64", 0x1000)
    itself = small.root << 12 | 493 * 8
    small.vm.poke(itself, small.root << 12 | 0x67)
    small.vm.access(0xFFFFF6FB7DBED000)
    before = small.vm.stats.entries_zapped
    small.vm.emulate_write_gpa(itself, 0, 8)
    assert small.vm.stats.entries_zapped - before == 4


def test_the_misconceptions_are_contradicted(shown):
    assert "no shadow entry can write it" in shown(NINE, "who_maps(vm, second)")
    assert "faults=1" in shown(NINE, "read = vm.access(0x2000, user=True)")
    stale, fresh = shown(NINE, "vm.invlpg(0x2000)"), shown(NINE, "emulate_write_gpa(entry2, second << 12 | 0x67, 8)\nf")
    assert "new frame: 0x16, reached: 0x15" in stale and "new frame: 0x17, reached: 0x17" in fresh


def test_a_processor_with_a_tlb_reaches_the_old_frame_until_invlpg():
    """As lesson 9 says."""
    guest = small_guest("64", 0x1000, 0x2000, tlb=True)
    old, hidden, new = guest.vm.access(0x2000).gpa, guest.frame(), guest.frame()
    guest.vm.poke(guest.entry_gpa(0x2000), hidden << 12 | 0x67)
    guest.vm.invlpg(0x2000)
    assert guest.vm.access(0x2000).gpa == old
    guest.vm.emulate_write_gpa(guest.entry_gpa(0x2000), new << 12 | 0x67, 8)
    assert guest.vm.access(0x2000).gpa == old
    guest.vm.invlpg(0x2000)
    assert guest.vm.access(0x2000).gpa == new << 12


def test_2007_without_paging_pre_write_is_not_called(shown):
    film = shown(NINE, "bug.film()")
    assert "kvm_mmu_pre_write" not in film and "The guest stores 8 bytes" in film
    run = shown(NINE, "bug.run()")
    assert "write protection" in run and "mappings" in run


# Lesson 10


def test_the_real_guests_table_has_two_shadow_pages_and_its_directory_entry_two_links(shown):
    tables = shown(TEN, "hierarchy(vm, code, data)")
    assert re.search(r"#247, of gfn 0x1c6f, quadrant 0\n +│ +462 ", tables)
    assert re.search(r"#246, of gfn 0x1c6f, quadrant 1\n +│ +62 ", tables)
    assert re.search(r" 64 .* #247\n", tables) and re.search(r" 65 .* #246\n", tables)
    assert " 574 " in tables and " 32 " in tables and "root slots, one for each GB" in tables


def test_an_offset_doubles(shown):
    offset = int(re.search("0x[0-9a-f]+", shown(TEN, "lesson.three_pages(seed)"))[0], 16)
    film = shown(TEN, "watch_store(vm, first_at, 0, 4)")
    assert zapped(film) == [f"#247:{offset // 4}"] and f"x 2 {offset * 2:#x}" in film


def test_2007_quadrant_overzap(shown):
    near, far, offset = (int(found, 16) for found in re.findall("0x[0-9a-f]+", shown(TEN, "lesson.both_halves(seed)")))
    film, index = shown(TEN, "watch_store(vm, second_at, 0, 4)"), near >> 12
    assert far == near + 0x200000 and offset == 4 * index
    assert sorted(zapped(film)) == [f"#246:{index}", f"#247:{index}"] and f"(from {index + 512})" in film
    assert shown(TEN, "vm.access(near, user=True), vm.access(far, user=True)").count("faults=1") == 2


def test_the_directory_to_change_has_links_in_two_quadrants(shown):
    assert sorted(zapped(shown(TEN, "offset = 0x400"))) == ["#250:0", "#251:0"]


def test_a_directory_is_doubled_twice_and_rounded_between(shown):
    beam = shown(TEN, "small.entry_gpa(0x40400000, level=2), 4)")
    assert re.findall(r"(x 2|& ~7|& 0xfff) (0x[0-9a-f]+)", beam) == [
        ("x 2", "0x808"),
        ("& ~7", "0x808"),
        ("x 2", "0x1010"),
        ("& 0xfff", "0x10"),
    ]
    assert "/ 8 entry 2 and 3" in beam and beam.count("(from 257)") == 2 and beam.count("root") >= 4
    lost = shown(TEN, "lesson.DIRECTORY")
    assert "#247 (from 1)" in beam and "#246 (from 1)" in beam and "links to #247 and #246" in " ".join(lost.split())
    film = shown(TEN, "watch_store(vm, byte_at, 0, 1)")
    assert zapped(film) == ["#251:10", "#251:11"] and "& ~7 0x28" in film
    assert "2 more, 508 empty" in film, "the links of entry 6 stay"


def test_8_aligned_bytes_are_misaligned_for_entries_of_4(shown):
    film = shown(TEN, "watch_store(vm, eight, 0, 8)")
    assert film.count("cross the edge of an entry") == 2
    assert emptied(film) == ["#251:1", "#246:1", "#251:0", "#247:1", "#247:3"]


def test_2007_pauses_do_not_reset_the_flood_counter(shown):
    film = shown(TEN, "watch(lambda: demand(0x4000)")
    assert "Write 3 in a row to gfn 0x12" in film and emptied(film) == ["#251:0", "#247:1", "#247:2", "#247:3"]
    assert shown(TEN, "demand(gva)\nsum(") == "(1, 8)"
    assert "treated 8 of the ten stores as a flood" in " ".join(shown(TEN, "lesson.PAUSES").split())


def test_the_early_version_clears_a_link_too_many_and_leaves_two(shown):
    film = shown(TEN, "watch(lambda: vm.emulate_write_gpa(entry1")
    assert zapped(film) == ["#251:1"] and "although entry 0 of the guest table in gfn 0x10, from which it was made" in film
    wrongly_cleared, stale = shown(TEN, "reads = vm.access(0x200000").split("Access(")[1:]
    assert "gpa=0x11000, faults=1" in wrongly_cleared and "gpa=0x13000, faults=0" in stale
    assert "map" in shown(TEN, "[str(complaint) for complaint in vm.audit()]")
    assert "0x200000 after a fault; 0x400000 without a fault: the old frame" in shown(TEN, "guess_early.reveal(reads)")


def test_demand_paging_costs_two_faults_for_each_page(shown):
    pages = shown(TEN, "demand(0x2000), demand(0x3000)")
    assert pages.count("outcome='inject', gpa=None, faults=1") == pages.count("outcome='ok'") == 2


def test_pae_doubles_nothing(shown):
    beam = shown(TEN, "pae.access(0x81CE000")
    assert "512 entries of 8 bytes" in beam and "x 2" not in beam and "(from 462)" in beam


def test_a_byte_of_a_page_table_needs_no_rounding():
    """As lesson 10 says of byte 2 of entry 87, at 0x15e. And the frames of its bug are those that it names."""
    small = small_guest("32", *range(86 << 12, 90 << 12, 1 << 12))
    at = small.entry_gpa(87 << 12) + 2
    assert at & 0xFFF == 0x15E and divmod(0x15E * 2, 8) == (87, 4)
    small.vm.emulate_write_gpa(at, 0, 1)
    assert [small.vm.access(page << 12).faults for page in range(86, 90)] == [0, 1, 0, 0]
    small = small_guest("32", 0x200000, 0x400000, 0x800000)
    assert [small.vm.access(gva).gpa >> 12 for gva in (0x400000, 0x800000)] == [0x13, 0x15]
