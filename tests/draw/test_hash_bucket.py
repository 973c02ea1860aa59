# SPDX-License-Identifier: GPL-2.0-only
"""The picture of a hash bucket: the names of its pages, and the lookup of a name."""

import pytest

from kvmmmu_lab import Vm
from kvmmmu_lab.draw.hash_bucket import PARTS, hash_bucket_scene
from kvmmmu_lab.draw.scene import Marks, union
from kvmmmu_lab.inspect.keys import Key
from kvmmmu_lab.inspect.names import key_name
from kvmmmu_lab.labs import Builder, hash_bucket, watch_bucket
from kvmmmu_lab.mmu.bits import ACCESSED, PRESENT, WRITABLE
from kvmmmu_lab.mmu.pool import make_role

from .scenes import busy, edges, rows, sound


@pytest.mark.parametrize("mode", ["32", "32 pse", "pae", "64"])
def test_the_parts_are_those_of_the_role(mode):
    guest = Builder(mode)
    guest.map(0x601000)
    if guest.mode.large_pages:
        guest.map(0x800000, 0x400, large=True)
    vm = guest.start()
    for gva in (0x601000, *[0x800000] * guest.mode.large_pages):
        vm.access(gva)
    for page in vm.pool.active:
        scene = hash_bucket_scene(vm, page.gfn, page.role)
        sound(scene)
        values = {index: target for index, _, target in rows(scene, f"s:{page.id}")}
        assert values["gfn"] == f"{page.gfn:#x}" and values["guest levels"] == str(page.glevels)
        assert values["level"] == str(page.level) and values["quadrant"] == str(page.quadrant)
        assert values["metaphysical"] == ("yes" if page.metaphysical else "no")
        letters = f"{'W' if page.access & 1 else '.'}{'U' if page.access & 2 else '.'}"
        assert values["access"] == (letters if page.metaphysical and page.glevels else "none")
        assert scene.title.endswith(f"#{page.id} is reused")


def test_the_parts_fill_the_role_word():
    for role in (make_role(2, 2, 0xC0000000, False, 0), make_role(4, 1, 0, True, 3), make_role(3, 1, 0, False, 0)):
        assert sum(part.of(role) << part.low for part in PARTS) == role
    assert [part.bits for part in PARTS] == ["0-3", "4-7", "8-9", "16", "17-18"]


def test_a_lookup_says_what_differs():
    vm = busy("lin32_A", 20)
    pages = [page for page in vm.pool.bucket(0x1C6E) if page.gfn == 0x1C6E]
    scene = hash_bucket_scene(vm, 0x1C6E, pages[-1].role)
    sound(scene)
    assert scene.title == f"Looking for gfn 0x1c6e with role {pages[-1].role:#x}: #{pages[-1].id} is reused"
    assert scene.table(f"s:{pages[0].id}").words[-1] == "1. skipped: another role"
    assert ("quadrant", "8-9", f"\N{NOT EQUAL TO} {pages[0].quadrant}") in rows(scene, f"s:{pages[0].id}")
    assert scene.notes[-1] == "\N{NOT EQUAL TO} differs from the name that is looked for"
    none = hash_bucket_scene(vm, 0x1C6E + 0x100, pages[-1].role)
    assert none.title.endswith("no page has this name, so a new one is needed")
    assert {table.words[-1][3:] for table in none.of("shadow")} == {"skipped: another gfn"}
    assert ("gfn", "", "\N{NOT EQUAL TO} 0x1c6e") in rows(none, f"s:{pages[0].id}")


def test_pages_after_the_one_that_is_found_are_not_reached():
    vm = busy("lin32_A", 20)
    newest, *others = vm.pool.bucket(0x1C6E)
    scene = hash_bucket_scene(vm, newest.gfn, newest.role)
    assert scene.table(f"s:{newest.id}").words[-1] == "1. has this name: reused"
    assert {scene.table(f"s:{page.id}").words[-1][3:] for page in others} == {"not reached"}


def test_links_lead_from_the_newest_to_the_oldest():
    vm = busy("lin32_A", 20)
    chain = [f"s:{page.id}" for page in vm.pool.bucket(0x1C6E)]
    scene = hash_bucket_scene(vm, 0x1C6E)
    assert edges(scene, "link") == set(zip([f"b:{0x6E}", *chain], chain, strict=False))


def test_an_empty_bucket_and_a_limit():
    assert rows(hash_bucket_scene(Vm(), 5), "b") == [("0x5", "", "0 pages")]
    assert hash_bucket_scene(Vm(), 0, limit=2).notes == (
        "the newest page is first",
        "2 of 4 pages are drawn; limit=4 draws more",
    )


def test_pages_keep_their_places_in_a_film():
    guest = Builder("64")
    guest.map(0x1000)
    vm = guest.start()
    vm.poke(guest.root << 12 | 8 * 300, guest.root << 12 | PRESENT | WRITABLE | ACCESSED)
    film = watch_bucket(lambda: vm.access(0xFFFF964B25800000), vm, guest.root)
    scenes = [step.scene for step in film.steps]
    for scene in scenes:
        sound(scene)
    stage = union(scenes)
    assert len(stage.of("shadow")) == 4
    for scene in scenes:
        for table in scene.tables:
            kept = stage.table(table.key)
            assert (kept.column, kept.rank) == (table.column, table.rank)
    assert "new" in {table.mark for scene in scenes for table in scene.of("shadow")}


def test_marks_and_names():
    vm = busy("lin32_A", 20)
    page = vm.pool.bucket(0x1C6E)[0]
    assert hash_bucket_scene(vm, 0x1C6E, marks=Marks({f"s:{page.id}": "new"})).table(f"s:{page.id}").mark == "new"
    assert key_name(Key("s:248:guest-levels")) == "the guest levels of shadow page #248"
    assert "hash bucket" in str(hash_bucket(vm, 0x1C6E))
