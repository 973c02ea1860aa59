# SPDX-License-Identifier: GPL-2.0-only
"""The diagram of a store: it shows exactly the entries that pre-write zaps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvmmmu_lab import InputError, open_guest
from kvmmmu_lab.draw.scene import check
from kvmmmu_lab.draw.theme import TONES
from kvmmmu_lab.inspect.keys import key_of
from kvmmmu_lab.labs import small_guest, store_diagram, watch_store
from kvmmmu_lab.labs.store_diagram import StoreDiagram

PAGED = ("64", "pae", "32")


def pages(mode):
    """Return a guest with pages at both ends of a table, in both of its halves, and in another table."""
    region = 1 << (22 if mode == "32" else 21)
    return small_guest(mode, 0x1000, 0x2000, 0x3000, region // 2 + 0x1000, region - 0x1000, region + 0x1000)


def sptes(scene):
    """Return the keys of the shadow entries and pages that the arithmetic leads to."""
    return {edge.target for edge in scene.edges if edge.source.startswith("a:") and edge.kind == "link"}


def filled(vm):
    """Return the keys of the shadow entries that aren't empty."""
    words = vm.memory.words
    return {f"s:{page.id}:{n}" for page in vm.pool.active for n in range(512) if words[page.spte + n]}


@given(st.sampled_from(PAGED), st.integers(1, 2), st.integers(0, 4095), st.sampled_from([1, 2, 4, 8]), st.integers(0, 2))
def test_it_shows_what_pre_write_zaps(mode, level, offset, size, written):
    """The store zaps exactly the non-empty entries that the diagram shows, singly or as pages, and links to those pages."""
    small = pages(mode)
    vm, gpa = small.vm, (small.table(0x1000, level) << 12) + min(offset, 4096 - size)
    for _ in range(written):
        vm.emulate_write_gpa(small.table(0x1000, level) << 12, 0, 1)
    scene, before = store_diagram(vm, gpa, size).scene, filled(vm)
    whole = [vm.pool.pages[int(key[2:])] for key in sptes(scene) if key.count(":") == 1]
    links = {key_of(vm, spte << 3) for page in whole for spte in vm.parents.sptes(page)}
    hit = {key for key in before if key in sptes(scene) or key.rpartition(":")[0] in sptes(scene)}
    vm.emulate_write_gpa(gpa, vm.peek(gpa, size), size)
    assert before - filled(vm) == hit | links
    assert scene.table("g").title == f"the guest's {'PT' if level == 1 else 'PD'}"
    assert TONES[scene.table("g").kind] == "guest", "a guest table is blue"


@pytest.mark.parametrize("mode", PAGED)
@pytest.mark.parametrize("size", [1, 8])
def test_every_step_of_the_film_is_a_valid_scene(mode, size):
    small = pages(mode)
    for level in (1, 2):
        film = watch_store(small.vm, small.entry_gpa(0x2000, level) + 4, 0, size)
        assert film.result is True and film.error is None
        for step in film.steps:
            check(step.scene)
        assert film.drawings and film.picture(-1).svg.startswith("<")


def test_a_diagram_stores_nothing():
    small = pages("64")
    before = filled(small.vm), small.vm.last_pt_write_count, small.vm.stats.exits
    store_diagram(small.vm, small.entry_gpa(0x1000), 8)
    assert before == (filled(small.vm), small.vm.last_pt_write_count, small.vm.stats.exits)


def test_a_skipped_page_says_why():
    vm = open_guest("lin64_A").vm()
    vm.access(0x400000, user=True)
    vm.access(0xFFFF888005000000)
    scene = store_diagram(vm, 0x61C1 << 12, 8).scene
    assert "skipped: another gfn" in scene.table("s:245").words
    assert sptes(scene) == {"s:248:0"}


def test_a_store_to_an_unshadowed_frame_zaps_nothing():
    small = pages("64")
    scene = store_diagram(small.vm, 0xF0 << 12, 8).scene
    assert sptes(scene) == set() and "isn't shadowed" in scene.notes[0]


@pytest.mark.parametrize(("gpa", "size"), [(0x14FFC, 8), (0x90000000, 8), (0x14000, 3), ("x", 8)])
def test_an_impossible_store_is_refused(gpa, size):
    with pytest.raises(InputError):
        StoreDiagram(pages("64").vm, gpa, size)
