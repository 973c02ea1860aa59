# SPDX-License-Identifier: GPL-2.0-only
"""The picture of shadow pages, their links and their parents."""

import pytest

from kvmmmu_lab import Vm, open_guest
from kvmmmu_lab.draw.parent_graph import parent_graph_scene
from kvmmmu_lab.draw.scene import union
from kvmmmu_lab.labs import Builder, parent_graph, watch_parents

from .scenes import busy, edges, sound


def shared(mode="64"):
    """Return a guest with one page table under two directory entries, its VM, and the shadow page of that table."""
    guest = Builder(mode)
    for gva in (0x1000, 0x40001000, 0x40401000):
        guest.map(gva)
    guest.vm.poke(guest.entry_gpa(0x40401000, 2), guest.vm.peek(guest.entry_gpa(0x1000, 2), 4), 4)
    guest.map(0x2000, guest.table(0x1000, 2))
    vm = guest.start()
    for gva in (0x1000, 0x40001000, 0x40401000):
        vm.access(gva)
    return guest, vm, next(page for page in vm.pool.bucket(guest.table(0x1000)) if page.gfn == guest.table(0x1000))


@pytest.mark.parametrize("mode", ["32", "32 pse", "pae", "64"])
def test_each_link_has_its_way_back(mode):
    _, vm, page = shared(mode)
    scene = parent_graph_scene(vm)
    sound(scene)
    assert {(target, source) for source, target in edges(scene, "shadow")} == edges(scene, "parent")
    assert len([edge for edge in edges(scene, "parent") if edge[0] == f"s:{page.id}"]) == 2
    assert scene.table(f"s:{page.id}").words[-1] == "2 parents"
    assert {table.words[-1] for table in scene.of("shadow") if "root" in " ".join(table.words)} == {"no parent"}
    assert scene.notes == ()


def test_a_page_with_its_family():
    guest, vm, page = shared()
    other = vm.pool.lookup(guest.table(0x40001000))
    keys = {table.key for table in parent_graph_scene(vm, other.id).tables}
    assert f"s:{other.id}" in keys and f"s:{page.id}" not in keys and len(keys) == 4
    assert {table.key for table in parent_graph_scene(vm, page.id).tables} == {
        table.key for table in parent_graph_scene(vm).tables if table.key != f"s:{other.id}"
    }


def test_a_page_without_a_parent_is_drawn_and_named():
    guest, vm, page = shared()
    above = vm.pool.lookup(guest.table(0x1000, 2))
    film = watch_parents(lambda: vm.unprotect(0x2000), vm)
    words = [str(step) for step in film.steps]
    assert any(f"#{above.id} drops the parent" in word for word in words)
    assert any(f"Shadow page #{above.id} returns to the pool." in word for word in words)
    scenes = [step.scene for step in film.steps]
    for scene in scenes:
        sound(scene)
    assert scenes[-1].table(f"s:{page.id}").words[-1] == "1 parent"
    stage = union(scenes)
    for scene in scenes:
        assert all((t.column, t.rank) == (stage.table(t.key).column, stage.table(t.key).rank) for t in scene.tables)
    vm.emulate_write_gpa(guest.entry_gpa(0x40401000, 2), 0, 8)
    assert f"no entry links to #{page.id}; in the hash it can still be found" in parent_graph_scene(vm).notes


def test_it_is_limited():
    vm = busy()
    scene = parent_graph_scene(vm)
    assert len(scene.tables) == 12 and scene.notes[0] == "12 of 31 pages are drawn; limit=31 draws more"
    assert len(parent_graph_scene(vm, limit=3).tables) == 3
    kept = next(page.id for page in vm.pool.active if page.level == 1 and page.glevels == 4)
    assert f"s:{kept}" in {table.key for table in parent_graph_scene(vm, limit=3, keep={kept}).tables}


def test_many_parents_and_a_guest_without_paging():
    vm = open_guest("lin64_A").vm()
    assert "root" in str(parent_graph(vm))
    assert len(parent_graph_scene(Vm()).tables) == 4
