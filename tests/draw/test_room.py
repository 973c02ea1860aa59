# SPDX-License-Identifier: GPL-2.0-only
"""Drawings laid out for a room: laws that hold for every scene, and what measures are taken."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from itertools import combinations, pairwise

import pytest

from kvmmmu_lab.draw import metrics
from kvmmmu_lab.draw.audit_counters import audit_counters_scene
from kvmmmu_lab.draw.geometry import Box, points
from kvmmmu_lab.draw.page_belt import page_belt_scene
from kvmmmu_lab.draw.page_pool import hash_table_scene, pool_scene
from kvmmmu_lab.draw.page_tables import overview_scene
from kvmmmu_lab.draw.reverse_maps import parent_chains_scene, reverse_map_scene, who_maps_scene
from kvmmmu_lab.draw.room import SLIDE, Room, fit, on_paths
from kvmmmu_lab.draw.root_slots import root_slots_scene
from kvmmmu_lab.draw.scene import Edge, Scene, edges_of, keys_of, scene_data, scene_of, union
from kvmmmu_lab.draw.svg import Drawing, notes_height

from .scenes import HEAP, MIXED, SELF, busy, made_table, paths

KERNEL_TEXT = 0xFFFFFFFF81000000


def tower(tables, rows=2):
    """Return a scene with many shadow pages above one another, which lead to one frame."""
    pages = [made_table(f"s:{number}", "shadow", 1, number, rows, rest="3 more, 500 empty") for number in range(tables)]
    edges = [Edge(f"s:{number}:0", "f:1", "shadow") for number in range(tables)]
    return Scene("a tower", (*pages, made_table("f:1", "frame", 0, 0, 1)), tuple(edges))


SCENES = {
    "two paths": lambda: paths("lin64_A", HEAP, SELF),
    "three paths": lambda: paths("lin64_A", HEAP, SELF, KERNEL_TEXT),
    "pae": lambda: paths("linpae_A", 0x804D000, 0xC1400000),
    "32 bits": lambda: paths("lin32_A", 0x804D000, 0xC1400000),
    "everything": lambda: MIXED,
    "nothing": lambda: Scene("", (), ()),
    "a whole machine": lambda: overview_scene(busy(accesses=60)),
    "many tables": lambda: tower(14),
    "many rows": lambda: tower(3, 30),
    "reverse map": lambda: reverse_map_scene(busy(), 0x29AF),
    "who maps": lambda: who_maps_scene(busy(), 0x61C9),
    "parents": lambda: parent_chains_scene(busy(), 248),
    "hash": lambda: hash_table_scene(busy()),
    "pool": lambda: pool_scene(busy()),
    "belt": lambda: page_belt_scene(busy()),
    "audit": lambda: audit_counters_scene(busy()),
    "roots": lambda: root_slots_scene(busy("lin32_A")),
}


@pytest.fixture(params=SCENES, scope="module")
def scene(request):
    return SCENES[request.param]()


@pytest.fixture(scope="module")
def found(scene):
    return fit(scene, SLIDE)


def test_a_scene_is_data_without_what_entries_say(scene):
    def silent(table):
        return replace(table, entries=tuple(replace(entry, says="") for entry in table.entries))

    assert scene_of(scene_data(scene)) == replace(scene, tables=tuple(map(silent, scene.tables)))


def test_everything_is_drawn_or_folded(scene, found):
    gone = {key for table in scene.tables for key in keys_of(table) if {key, table.key} & set(found.folded)}
    there = {key for table in scene.tables for key in keys_of(table)} - gone
    assert there == {*found.layout.tables, *found.layout.rows}
    dropped = set(edges_of(scene)) - set(found.layout.edges)
    assert all(edge.startswith("shadows|") or {*edge.split("|")[1:]} & gone for edge in dropped)


def test_what_is_folded_is_counted_below_the_drawing(scene, found):
    said = " ".join(found.notes)
    assert bool(found.folded) == ("not drawn:" in said)
    for kind, words in (("guest", "guest table"), ("shadow", "shadow page"), ("frame", "frame")):
        count = sum(table.key in found.folded for table in scene.of(kind))
        assert not count or f"{count} more {words}" in said


def test_it_fits_or_says_that_it_does_not(found):
    place = found.layout
    height = place.height + notes_height(found.notes, place.width)
    assert found.fits == (place.width <= SLIDE.width and height <= SLIDE.height)


def test_nothing_overlaps_and_nothing_is_outside(found):
    place = found.layout
    boxes = list(place.tables.values())
    assert not [pair for pair in combinations(boxes, 2) if pair[0].meets(pair[1])]
    for table in found.stage.tables:
        box, rows = place.tables[table.key], [place.rows[entry.key] for entry in table.entries]
        assert all(box.y < row.y and row.bottom <= box.bottom and row.x == box.x for row in rows)
        assert all(above.bottom <= below.y for above, below in pairwise(rows))
    for box in [*boxes, *place.boxes.values()]:
        assert box.x > 3 and box.y > 3 and box.right < place.width - 3 and box.bottom < place.height - 3
    for line in place.edges.values():
        assert all(-0.1 <= x <= place.width + 0.1 and -0.1 <= y <= place.height + 0.1 for x, y in points(line.d))


def test_arrows_pass_tables_at_a_distance(found):
    """The part of an arrow that crosses a column is horizontal, and not inside a table."""
    place = found.layout
    for key, line in place.edges.items():
        ends = {end for table in found.stage.tables if {*key.split("|")[1:]} & {*keys_of(table)} for end in [table.key]}
        for (x, y), (right, end) in pairwise(points(line.d)[::3]):
            if abs(y - end) < 0.1 and abs(right - x) > 30:
                crossed = [name for name, box in place.tables.items() if box.x < (x + right) / 2 < box.right]
                assert not [n for n in crossed if n not in ends and place.tables[n].y < y < place.tables[n].bottom]


def test_texts_are_inside_their_tables(found):
    for table in (table for table in found.stage.tables if len(table.title) < 100):
        box, split = found.layout.tables[table.key], found.layout.beside.get(table.key)
        first, *others = table.words or [""]
        assert all(metrics.text_width(line) <= box.width for line in (*others, table.rest))
        title = metrics.text_width(table.title, metrics.TITLE_SIZE, bold=True)
        if split:
            assert title <= split and metrics.text_width(first) <= box.width - split
        else:
            assert metrics.text_width(first) <= box.width and title <= box.width


def test_lines_of_a_table_that_is_not_there_yet_have_places_of_their_own(found):
    drawing = Drawing(found.stage, found.layout)
    later = {key: [look[0], *[""] * (len(look) - 1)] for key, look in drawing.appearances(found.stage).items()}
    for group in ET.fromstring(drawing.bare(later, "")).iter():
        places = [(one.get("x"), one.get("y")) for one in group if one.get("class") == "words"]
        assert len(places) == len({*places})


@pytest.mark.parametrize("name", ["32 bits", "everything", "many tables", "reverse map", "hash"])
def test_what_must_be_seen_is_never_folded(name):
    scene = SCENES[name]()
    last = scene.tables[-1].key
    shown = on_paths(scene, [last])
    found = fit(scene, Room(300, 120), [last])
    assert not shown & set(found.folded)
    assert shown <= {*found.layout.tables, *found.layout.rows}


def test_the_path_to_an_entry_is_kept():
    scene = paths("lin64_A", HEAP, SELF)
    leaf = scene.of("shadow")[-1]
    shown = [table for table in scene.tables if table.key in on_paths(scene, [leaf.entries[0].key])]
    assert {table.column for table in shown if table.kind == "shadow"} == {4, 3, 2, 1}
    assert [table.kind for table in shown if table.kind != "shadow"] == ["frame"]


@pytest.mark.parametrize("name", ["nothing", "many rows", "pool"])
def test_what_fits_a_larger_room_is_not_folded(name):
    assert not fit(SCENES[name](), Room(5000, 5000)).folded


def test_harmless_measures_come_before_folds():
    """Two paths of four levels, 16 tables in four rows, fit a slide without folding."""
    found = fit(paths("lin64_A", HEAP, SELF), SLIDE)
    assert found.fits and not found.folded


def test_columns_are_split_before_tables_are_folded():
    found = fit(tower(6), SLIDE, ["s:0"])
    assert found.fits and not found.folded
    assert len({box.x for box in found.layout.tables.values()}) > 2


def test_guest_tables_and_shadow_pages_stand_beside_each_other_if_they_are_long():
    entries = made_table("g:1", "guest", 1, 0, 8), made_table("s:1", "shadow", 1, 0, 8), made_table("f:1", "frame", 0, 0, 1)
    place = fit(Scene("", entries, (Edge("g:1:0", "f:1", "guest"), Edge("s:1:0", "f:1", "shadow"))), SLIDE).layout
    assert place.boxes["guest"].right < place.boxes["shadow"].x
    numbers = points(place.edges["guest|g:1:0|f:1"].d)
    assert not any(place.tables["s:1"].meets(Box(x, y, 0.1, 0.1)) for x, y in numbers)


def test_counts_that_are_left_out_are_announced():
    found = fit(paths("lin64_A", HEAP, SELF), SLIDE)
    counted = any(re.search("empty", table.rest) for table in found.stage.tables)
    titles = " ".join(line for lines in found.layout.titles.values() for line in lines) + " ".join(found.notes)
    assert counted != ("not counted" in titles)


def test_the_paths_of_two_addresses_fit_a_slide():
    scene = paths("lin32_A", 0x804D000, 0xC1400000)
    found = fit(scene, SLIDE, scene.path)
    assert found.fits and not found.folded and set(scene.path) <= set(found.layout.rows)


def test_rows_that_lead_to_drawn_tables_are_not_folded_before_others():
    found = fit(tower(4, 12), Room(500, 200), ["s:0"])
    drawn = {table.key for table in found.stage.tables}
    assert {"s:0", "f:1"} <= drawn and found.folded
    assert all(f"{key}:0" in found.layout.rows for key in drawn if key.startswith("s:"))


def test_a_stage_has_room_for_each_text_of_its_rows():
    """A gfn is drawn as a bare number, so a word that has fewer letters can be wider."""
    first, then = (made_table("s:1", "shadow", 1, 0, 1) for _ in range(2))
    long, short = replace(first.entries[0], target="gfn 0x15"), replace(first.entries[0], target="empty!")
    scenes = [Scene("", (replace(table, entries=(entry,)),), ()) for table, entry in ((first, long), (then, short))]
    drawing = Drawing(union(scenes))
    assert [drawing.appearances(scene)["s:1:0"][-1] for scene in scenes] == ["0x15", "empty!"]
