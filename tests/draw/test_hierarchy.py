# SPDX-License-Identifier: GPL-2.0-only
"""Pictures of guest and shadow tables in all four modes; drawing changes nothing."""

import pytest

from kvmmmu_lab import InputError, Vm, open_guest
from kvmmmu_lab.draw.example import example
from kvmmmu_lab.draw.page_tables import hierarchy_scene
from kvmmmu_lab.draw.pictures import hierarchy
from kvmmmu_lab.draw.scene import Edge, Marks, union
from kvmmmu_lab.draw.text import alternative, to_text
from kvmmmu_lab.inspect.keys import key_of
from kvmmmu_lab.inspect.paths import guest_path, shadow_path

from ..mmu.guests import everything

HEAP, DIRECT = 0x343C9000, 0xFFFF888000000000


def rows(scene, key):
    return [(entry.index, entry.flags, entry.target) for entry in scene.table(key).entries]


@pytest.fixture
def lin64():
    vm = open_guest("lin64_A").vm()
    vm.access(HEAP, user=True)
    return vm


def test_the_example_by_hand():
    scene = example().scene
    assert [table.key for table in scene.of("guest")] == ["g:1", "g:2", "g:3", "g:4"]
    assert [table.title for table in scene.of("guest")] == ["PML4", "PDPT", "PD", "PT"]
    assert rows(scene, "g:4") == [("5", "PWUAD..", "gfn 0x20"), ("6", "PWUAD..", "gfn 0x4")]
    assert scene.table("g:1").words == ("gfn 0x1 = CR3",)
    assert [table.title for table in scene.of("shadow")][-1] == "shadow L1 #248"
    # the guest allows writes to its page table, the shadow doesn't, so the w is small
    assert rows(scene, "s:248") == [("5", "PWUAD..", "gfn 0x20"), ("6", "PwUAD..", "gfn 0x4")]
    assert scene.table("f:4").words == ("write-protected table",)
    assert rows(scene, "f:4") == [("rmap", "empty", "no writer")]
    assert rows(scene, "f:20") == [("rmap", "1 entry", "#248:5")]
    assert {edge for edge in scene.edges if edge.kind == "readonly"} == {Edge("s:248:6", "f:4", "readonly")}
    assert Edge("f:20:rmap", "s:248:5", "rmap") in scene.edges
    assert Edge("g:4", "s:248", "shadows") in scene.edges


def test_what_is_not_drawn_is_counted(lin64):
    scene = hierarchy_scene(lin64, [HEAP])
    assert scene.table("g:61c9").rest == "57 more, 454 empty"
    assert scene.table("s:248").rest == "511 empty"
    assert scene.notes == ("4 of 8 shadow pages in use are drawn",)
    for table in scene.of("guest") + scene.of("shadow"):
        others = sum(int(part.split()[0]) for part in table.rest.split(", "))
        assert len(table.entries) + others == 512


def test_an_address_without_a_shadow_ends_at_an_empty_entry():
    scene = hierarchy_scene(open_guest("lin64_A").vm(), [HEAP])
    (root,) = scene.of("shadow")
    assert [(entry.flags, entry.target) for entry in root.entries] == [(".......", "empty")]
    assert scene.table("f:29a5") is not None  # the guest's tables lead there nevertheless


def test_a_large_page_has_a_shadow_but_no_guest_table(lin64):
    lin64.access(DIRECT + 0x61C9E48)
    scene = hierarchy_scene(lin64, [HEAP, DIRECT + 0x61C9E48])
    assert rows(scene, "g:4402") == [("48", "PW.ADGNX", "2 MB 0x6000")]
    page = scene.table("s:245")
    assert (page.words, page.column) == (("of gfn 0x6000", "no guest table:", "pieces of a 2 MB page"), 1)
    assert rows(scene, "s:245") == [("457", "Pw.ADGNX", "gfn 0x61c9")]
    assert Edge("g:4402:48", "f:61c9", "guest") in scene.edges
    assert not [edge for edge in scene.edges if edge.kind == "shadows" and edge.target == "s:245"]
    # paths share their common part
    assert rows(scene, "s:251") == [("0", "PWUA...", "#250"), ("273", "PWUA...", "#247")]


def test_pae_stands_on_root_slots():
    vm = open_guest("linpae_A").vm()
    vm.access(0x804D000, user=True)
    scene = hierarchy_scene(vm, [0x804D000])
    assert scene.table("g:pdpt").words == (f"CR3 {vm.cpu.cr3:#x}", "held in registers")
    assert rows(scene, "r")[0][0] == "0"
    assert Edge("g:pdpt", "r", "shadows") in scene.edges
    assert [table.column for table in scene.of("shadow")] == [3, 2, 1]


def test_32_bits_have_quadrants():
    vm = open_guest("lin32_A").vm()
    vm.access(0x804D000, user=True)
    vm.access(0xC1400000)
    scene = hierarchy_scene(vm, [0x804D000, 0xC1400000])
    assert [table.title for table in scene.of("guest")] == ["PD", "PT"]
    words = [table.words for table in scene.of("shadow") if table.column == 2]
    assert words == [("of gfn 0x1c6e", "quadrant 0 · root"), ("of gfn 0x1c6e", "quadrant 3 · root")]
    # one guest table, two shadow pages
    assert len([edge for edge in scene.edges if edge.kind == "shadows" and edge.source == "g:1c6e"]) == 2
    assert rows(scene, "g:1c6e")[1] == ("773", "PW.ADG.", "4 MB 0x1400")


def test_without_paging_there_is_no_guest_table():
    vm = Vm()
    vm.access(0x5000, write=True)
    scene = hierarchy_scene(vm, [0x5000])
    assert not scene.of("guest")
    assert {table.words[-1] for table in scene.of("shadow")[1:]} == {"the guest isn't paging"}
    assert rows(scene, "f:5") == [("rmap", "1 entry", "#251:5")]
    assert "a gva is a gpa" in to_text(scene)


def test_no_memory_is_said():
    vm = open_guest("lin64_early3_pg").vm()
    vm.access(0xFEE00000)
    scene = hierarchy_scene(vm, [0xFEE00000])
    assert scene.table("f:fee00").words == ("no memory: a device",)
    assert scene.of("shadow")[-1].entries[0].target == "I/O 0xfee00"


def test_a_stale_shadow_shows_two_frames(lin64):
    lin64.poke(0x61C9E48, lin64.peek(0x61C9E48) ^ 0x1000)
    scene = hierarchy_scene(lin64, [HEAP])
    assert Edge("g:61c9:457", "f:29a4", "guest") in scene.edges
    assert Edge("s:248:457", "f:29a5", "shadow") in scene.edges


def test_looking_changes_nothing(lin64):
    before = everything(lin64)
    for gva in (HEAP, DIRECT, 0, 0xFFFFFFFF81000000, 0x7FFFFFFFF000):
        to_text(hierarchy_scene(lin64, [gva]))
        alternative(hierarchy_scene(lin64, [gva]))
    assert everything(lin64) == before


@pytest.mark.parametrize("name", ["lin64_A", "linpae_A", "lin32_A"])
def test_paths_end_where_accesses_get_to(name):
    guest = open_guest(name)
    vm = guest.vm()
    for gva in guest.tlb_gva[:: len(guest.tlb_gva) // 40].tolist():
        reached = vm.access(gva).gpa >> 12
        assert guest_path(vm, gva).gfn == reached
        assert shadow_path(vm, gva).hfn == vm.memory.frames[reached]


def test_marks(lin64):
    marks = Marks({"s:248:457": "dead", "g:61c9:457": "changed", "s:248": "new"}, {"s:248:457": 0})
    scene = hierarchy_scene(lin64, [HEAP], marks)
    assert scene.entry("s:248:457").flags == "......."  # the old value, not the new one
    assert [(table.key, entry and entry.key) for table, entry in scene.marked()] == [
        ("g:61c9", "g:61c9:457"),
        ("s:248", None),
        ("s:248", "s:248:457"),
    ]
    assert "changed" in alternative(scene)


def test_a_page_that_changed_is_drawn_though_no_path_leads_there(lin64):
    scene = hierarchy_scene(lin64, [], Marks({"s:255": "dead"}))
    assert [table.key for table in scene.tables] == ["s:255"]


def test_many_marked_entries_are_not_all_drawn(lin64):
    scene = hierarchy_scene(lin64, [HEAP], Marks({f"s:248:{index}": "dead" for index in range(512)}))
    assert len(scene.table("s:248").entries) < 10


def test_a_union_has_all_tables_and_entries(lin64):
    early = hierarchy_scene(open_guest("lin64_A").vm(), [HEAP])
    late = hierarchy_scene(lin64, [HEAP])
    both = union([early, late])
    assert {table.key for table in both.tables} == {t.key for t in early.tables} | {t.key for t in late.tables}
    assert both.entry("s:251:0").target in ("empty", "#250")
    assert set(both.edges) == set(early.edges) | set(late.edges)


def test_keys(lin64):
    assert key_of(lin64, 0x1F8E48) == "s:248:457"
    assert key_of(lin64, lin64.memory.gpa_to_hpa(0x61C9E48)) == "g:61c9:457"


@pytest.mark.parametrize("gva", [1 << 47, -1, 1 << 64, "0x1000", None, True])
def test_an_address_that_cant_be_is_refused(lin64, gva):
    with pytest.raises(InputError, match="gva"):
        hierarchy(lin64, gva)


def test_two_paths_have_one_order_on_both_sides(lin64):
    large = DIRECT + 0x61C9E48
    lin64.access(large)
    for gvas in ([HEAP, large], [large, HEAP]):
        scene = hierarchy_scene(lin64, gvas)
        ranks = {(t.kind, t.column): [] for t in scene.tables}
        for table in scene.of("guest") + scene.of("shadow"):
            ranks[table.kind, table.column].append(table.key)
        pds, l2s = ranks["guest", 2], ranks["shadow", 2]
        assert pds == [f"g:{lin64.pool.pages[int(key[2:])].gfn:x}" for key in l2s]
        assert scene.of("frame")[0].key == ("f:29a5" if gvas[0] == HEAP else "f:61c9")


def test_a_large_page_is_spelled_out_for_who_points_at_it(lin64):
    lin64.access(DIRECT + 0x61C9E48)
    entry = hierarchy_scene(lin64, [DIRECT + 0x61C9E48]).entry("g:4402:48")
    assert entry.says.endswith("; a 2 MB page at gfn 0x6000")
