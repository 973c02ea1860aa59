# SPDX-License-Identifier: GPL-2.0-only
"""Pictures of whole trees: which tables are chosen, what is folded, and what the notes say about it."""

from time import perf_counter

import pytest

from kvmmmu_lab import Vm, open_guest
from kvmmmu_lab.draw.page_tables import Limits, choose, guest_tables_scene, hierarchy_scene, overview_scene, shadow_tables_scene
from kvmmmu_lab.draw.scene import Marks
from kvmmmu_lab.inspect.paths import Branch, guest_tree, shadow_path, shadow_tree

from ..mmu.guests import everything
from .scenes import DIRECT, HEAP, busy, edges, rows, sound

SCENES = {"guest": guest_tables_scene, "shadow": shadow_tables_scene, "both": overview_scene}
GUESTS = ["lin64_A", "linpae_A", "lin32_A", "lin64_early3_pg"]


@pytest.fixture(scope="module", params=GUESTS)
def vm(request):
    return busy(request.param)


@pytest.fixture(scope="module")
def lin64():
    return busy()


@pytest.mark.parametrize("kind", SCENES)
def test_twelve_tables_are_enough_for_a_real_guest(vm, kind):
    before, start = everything(vm), perf_counter()
    scene = SCENES[kind](vm)
    took = perf_counter() - start
    assert everything(vm) == before
    sound(scene)
    assert 1 <= len(scene.tables) <= 12
    assert took < 0.5  # it usually takes a few milliseconds, but the machine may be busy


@pytest.mark.parametrize("kind", SCENES)
@pytest.mark.parametrize("limits", [Limits(limit=1), Limits(limit=5), Limits(limit=30), Limits(depth=2), Limits(fold=0)])
def test_limits_hold(vm, kind, limits):
    scene = SCENES[kind](vm, limits=limits)
    sound(scene)
    assert len(scene.tables) <= (limits.limit or 12)
    if limits.depth:
        for side in {table.kind for table in scene.tables}:
            assert len({table.column for table in scene.tables if table.kind == side}) <= limits.depth
    if limits.fold == 0:
        led = {source for source, _ in edges(scene, "guest") | edges(scene, "shadow")}
        assert all(entry.key in led for table in scene.tables for entry in table.entries)


def test_few_tables_show_every_level(lin64):
    scene = guest_tables_scene(lin64, limits=Limits(limit=4))
    assert [(table.key, table.title) for table in scene.of("guest")] == [
        ("g:61a6", "PML4"),
        ("g:61d6", "PDPT"),
        ("g:61d5", "PD"),
        ("g:61c1", "PT"),
    ]
    assert edges(scene, "guest") == {("g:61a6:0", "g:61d6"), ("g:61d6:0", "g:61d5"), ("g:61d5:2", "g:61c1")}
    assert rows(scene, "g:61c1")[:2] == [("0", "P.UA..NX", "gfn 0x330a"), ("1", "P.UA...", "gfn 0x3309")]
    assert scene.table("g:61c1").rest == "351 more, 157 empty"
    assert scene.notes == (
        "4 of 110 guest tables are drawn; limit=16 draws more",
        "about 4 rows of each table are drawn; fold=16 draws more",
    )


def test_a_limit_that_is_large_enough_draws_all_and_says_nothing(lin64):
    scene = guest_tables_scene(lin64, limits=Limits(limit=110, fold=512))
    assert {table.key for table in scene.tables} == set(guest_tree(lin64))
    assert len(scene.tables) == 110 and scene.notes == ()


def test_more_tables_are_the_same_and_others(lin64):
    few, many = ({table.key for table in shadow_tables_scene(lin64, limits=Limits(limit=limit)).tables} for limit in (6, 20))
    assert few < many


def test_depth_is_said(lin64):
    notes = guest_tables_scene(lin64, limits=Limits(depth=2, limit=200)).notes
    assert "2 of 4 guest levels are drawn; depth=3 draws the next" in notes


def test_a_path_in_focus_is_never_folded(lin64):
    for limits in (Limits(), Limits(limit=1, depth=1, fold=0)):
        guest = guest_tables_scene(lin64, [HEAP], limits=limits)
        assert [table.title for table in guest.of("guest")] == ["PML4", "PDPT", "PD", "PT"]
        assert ("g:61c9:457", "f:29a5") in edges(guest, "guest")
        shadow = shadow_tables_scene(lin64, [HEAP], limits=limits)
        assert {step.key for step in shadow_path(lin64, HEAP).steps} <= {
            entry.key for table in shadow.tables for entry in table.entries
        }
    assert [len(table.entries) for table in guest.of("guest")] == [1, 1, 1, 1]  # neighbours are folded


def test_a_focus_and_a_limit_draw_neighbours_too(lin64):
    alone, more = guest_tables_scene(lin64, [HEAP]), guest_tables_scene(lin64, [HEAP], limits=Limits(limit=9, fold=2))
    assert {table.key for table in alone.of("guest")} < {table.key for table in more.of("guest")}
    assert len(more.of("guest")) == 9


def test_both_sides_pair_up(vm):
    scene = overview_scene(vm)
    guests = {table.key for table in scene.of("guest")}
    for table in scene.of("shadow"):
        page = vm.pool.pages[int(table.key[2:])] if table.key != "r" else None
        if page is not None and not page.metaphysical:
            assert (f"g:{page.gfn:x}", table.key) in edges(scene, "shadows")
    assert guests


def test_the_shadow_knows_its_parents(lin64):
    scene = shadow_tables_scene(lin64)
    back = {(target.rpartition(":")[0], source) for source, target in edges(scene, "parent")}
    there = {(source.rpartition(":")[0], target) for source, target in edges(scene, "shadow")}
    assert back == there


def test_many_entries_to_one_table_are_folded(lin64):
    """Linux has 200 entries that lead to the same table. The picture needs to show only one of them."""
    scene = shadow_tables_scene(lin64, limits=Limits(limit=40))
    assert max(len(table.entries) for table in scene.tables) <= 20


def test_pages_that_the_root_does_not_lead_to_are_counted():
    vm = Vm()
    vm.access(0x5000)
    vm.zap_all()
    assert not any("not reachable" in note for note in shadow_tables_scene(vm).notes)
    lin64 = open_guest("lin64_A").vm()
    # these pages were made before the guest enabled paging
    assert "4 other pages in use are not reachable from this root; pool(vm) lists all" in shadow_tables_scene(lin64).notes


def test_roots_and_quadrants():
    vm = busy("lin32_A", 20)
    scene = shadow_tables_scene(vm)
    assert [table.words for table in scene.of("shadow") if table.column == 2] == [
        ("of gfn 0x1c6e", f"quadrant {number} · root") for number in range(4)
    ]
    assert rows(scene, "r") == [(str(n), "P......", f"#{251 - n}") for n in range(4)]


def test_without_paging_there_is_only_a_shadow():
    vm = Vm()
    vm.access(0x5000)
    assert guest_tables_scene(vm).tables == ()
    assert guest_tables_scene(vm).notes == ("the guest isn't paging: it has no tables, and a gva is a gpa",)
    assert len(overview_scene(vm).of("shadow")) == 6


def test_a_destroyed_vm_has_no_shadow_any_more():
    vm = busy("linpae_A", 20)
    vm.destroy()
    assert shadow_tables_scene(vm).tables == ()
    assert shadow_tables_scene(vm).notes[0] == "there is no root: the shadow is empty"
    assert len(guest_tables_scene(vm).tables) == 12


def test_marks_are_drawn_wherever_they_are(lin64):
    last = shadow_path(lin64, HEAP).steps[-1]
    marks = Marks({f"s:{last.number}": "new", last.key: "dead", "g:61c9:457": "changed"}, {last.key: 0})
    for make in (shadow_tables_scene, overview_scene):
        scene = make(lin64, (), marks, Limits(limit=2))
        assert scene.table(f"s:{last.number}").mark == "new"
        assert scene.entry(last.key).flags == "......."
    assert guest_tables_scene(lin64, [HEAP], marks).entry("g:61c9:457").mark == "changed"


def test_a_table_that_leads_to_itself():
    vm = open_guest("lin64_A").vm()
    root = vm.cpu.cr3 >> 12
    vm.poke(root << 12 | 8 * 100, root << 12 | 0x67)
    scene = guest_tables_scene(vm, limits=Limits(limit=200))
    sound(scene)
    assert (f"g:{root:x}:100", f"g:{root:x}") in edges(scene, "guest")


def test_choosing_takes_turns():
    tree = {
        "a": Branch("a", 3, 0, [(0, "b"), (1, "c"), (2, "d")]),
        "b": Branch("b", 2, 0, [(0, "e"), (1, "f")]),
        "c": Branch("c", 2, 0, [(5, "g")]),
        "d": Branch("d", 2, 0, []),
        **{key: Branch(key, 1, 0, []) for key in "efg"},
    }
    assert choose(tree, 3) == ["a", "b", "e"]
    assert choose(tree, 5) == ["a", "b", "c", "e", "f"]
    assert choose(tree, 3, prefer={"c"}) == ["a", "c", "g"]
    assert choose(tree, 3, depth=2) == ["a", "b", "c"]
    assert choose(tree, 0, given=["a", "c", "g"]) == ["a", "c", "g"]
    assert choose(tree, 99) == list("abcdefg")
    assert choose({}, 5) == []


def test_trees_have_what_paths_pass(vm):
    for gva in (HEAP, DIRECT, 0x804D000, 0xC1400000):
        if vm.root_level != 4 and gva >> 32:
            continue
        assert {step.table for step in shadow_path(vm, gva).steps} <= set(shadow_tree(vm))


def test_focus_alone_is_the_hierarchy(lin64):
    one, other = hierarchy_scene(lin64, [HEAP]), overview_scene(lin64, [HEAP])
    assert {table.key for table in one.tables} == {table.key for table in other.tables}
    assert set(one.edges) == set(other.edges)
