# SPDX-License-Identifier: GPL-2.0-only
"""The layout of each renderer: columns and order are right, nothing is outside the drawing, and nothing overlaps."""

import re
from dataclasses import replace
from itertools import combinations, pairwise

import pytest

from kvmmmu_lab import InputError
from kvmmmu_lab.draw import layout as module
from kvmmmu_lab.draw import metrics
from kvmmmu_lab.draw.geometry import Box, dots, points
from kvmmmu_lab.draw.layout import LABEL, layout
from kvmmmu_lab.draw.render import NAMES, VARIABLE, renderers
from kvmmmu_lab.draw.scene import Edge, Scene

from .scenes import HEAP, MIXED, made_table, paths
from .scenes import SELF as KERNEL

HERE = [renderer.name for renderer in renderers()]


@pytest.fixture(params=NAMES, autouse=True)
def each_renderer(request, monkeypatch):
    if request.param not in HERE:
        pytest.skip(f"{request.param} isn't installed")
    monkeypatch.setenv(VARIABLE, request.param)


SCENES = {
    "two paths": lambda: paths("lin64_A", HEAP, KERNEL),
    "three paths": lambda: paths("lin64_A", HEAP, KERNEL, 0xFFFFFFFF81000000),
    "pae": lambda: paths("linpae_A", 0x804D000, 0xC1400000),
    "32 bits": lambda: paths("lin32_A", 0x804D000, 0xC1400000),
    "everything": lambda: MIXED,
    "one table": lambda: Scene("", (made_table("s:1", "shadow", 1, 0),), ()),
    "nothing": lambda: Scene("", (), ()),
    "lists": lambda: Scene("", (made_table("a", "list", 1, 0, 20), made_table("b", "list", 0, 0)), (Edge("a:3", "b", "link"),)),
}


@pytest.fixture(params=SCENES)
def scene(request):
    return SCENES[request.param]()


def ends(line):
    """Return the start of a line and the tip of its arrowhead."""
    numbers = points(line.d)
    tip = re.findall(r"-?[\d.]+", line.head)[:2] if line.head else numbers[-1]
    return numbers[0], tuple(map(float, tip))


def test_everything_has_its_place(scene):
    place = layout(scene)
    assert set(place.tables) == {table.key for table in scene.tables}
    assert set(place.rows) == {entry.key for table in scene.tables for entry in table.entries}
    known = set(place.tables) | set(place.rows)
    assert len(place.edges) == len([edge for edge in scene.edges if {edge.source, edge.target} <= known])


def test_nothing_stands_on_anything_else(scene):
    place = layout(scene)
    assert not [pair for pair in combinations(place.tables, 2) if place.tables[pair[0]].meets(place.tables[pair[1]])]
    for table in scene.tables:
        box, rows = place.tables[table.key], [place.rows[entry.key] for entry in table.entries]
        assert all(row.x == box.x and row.right == box.right for row in rows)
        assert all(box.y < row.y and row.bottom <= box.bottom for row in rows)
        assert all(above.bottom <= below.y for above, below in pairwise(rows))


def test_columns(scene):
    place = layout(scene)
    for one, other in combinations(scene.tables, 2):
        left, right = place.tables[one.key], place.tables[other.key]
        if one.column == other.column:
            assert left.x == pytest.approx(right.x, abs=0.1) and left.width == right.width
        elif one.column > other.column:
            assert left.right < right.x


def test_guest_tables_stand_above_shadow_pages_each_inside_its_box(scene):
    place = layout(scene)
    guest, shadow = ([place.tables[table.key] for table in scene.of(kind)] for kind in ("guest", "shadow"))
    for kind, boxes in (("guest", guest), ("shadow", shadow)):
        assert (kind in place.boxes) == bool(boxes)
        for box in boxes:
            around = place.boxes[kind]
            assert around.x < box.x and box.right < around.right and around.y < box.y and box.bottom < around.bottom
    if guest and shadow:
        assert not place.boxes["guest"].meets(place.boxes["shadow"])
        assert place.boxes["guest"].bottom < place.boxes["shadow"].y
    for table in scene.tables:
        if table.kind not in place.boxes:
            assert not any(place.tables[table.key].meets(box) for box in place.boxes.values())


def test_nothing_is_outside(scene):
    place = layout(scene)
    for box in [*place.tables.values(), *place.boxes.values()]:
        assert box.x > 3 and box.y > 3 and box.right < place.width - 3 and box.bottom < place.height - 3
    for line in place.edges.values():
        assert all(0 <= x <= place.width and 0 <= y <= place.height for x, y in points(line.d))


def test_edges_begin_and_end_at_what_they_connect(scene):
    place = layout(scene)
    for key, line in place.edges.items():
        _, source, target = key.split("|")
        for (x, y), name in zip(ends(line), (source, target), strict=True):
            box = place.rows.get(name) or place.tables[name]
            assert box.x - 0.2 <= x <= box.right + 0.2 and box.y - 0.2 <= y <= box.bottom + 0.2
        assert bool(line.head) == (not key.startswith("shadows|"))


def test_the_title_of_a_narrow_box_is_short():
    """It took six lines above a table of one row, so that a film of it didn't fit its pane."""
    tables = (made_table("g:1", "guest", 1, 0), made_table("s:1", "shadow", 1, 0))
    place = layout(Scene("", tuple(replace(table, words=("of gfn 0x61a6 · root",)) for table in tables), ()))
    assert place.titles == {"guest": ["Guest tables", "(in guest memory)"], "shadow": ["Shadow tables", "(in host memory)"]}


def test_words_beside_an_edge_have_room():
    place = layout(SCENES["two paths"]())
    labels = [line.label for line in place.edges.values() if line.label]
    assert len(labels) == 1
    (x, y) = labels[0]
    label = Box(x - LABEL + 4, y - 9, LABEL - 4, 11)
    assert not any(map(label.meets, place.tables.values()))
    assert not any(label.x < box.right < label.right for box in place.boxes.values()), "the side of a box is behind the words"
    lines = [dot for line in place.edges.values() for dot in dots(points(line.d))]
    assert not any(label.x < across < label.right and label.y < down < label.bottom for across, down in lines)


def test_several_read_only_edges_to_one_frame_have_one_label():
    edges = tuple(Edge(f"s:1:{number}", "f:1", "readonly") for number in range(5))
    place = layout(Scene("", (made_table("s:1", "shadow", 1, 0, 5), made_table("f:1", "frame", 0, 0)), edges))
    assert len(place.edges) == 5 and sum(line.label is not None for line in place.edges.values()) == 1


def test_two_paths_of_four_levels_fit_the_window_of_a_laptop():
    scene = SCENES["two paths"]()
    assert len(scene.of("guest")) == 6 and len(scene.of("shadow")) == 7 and len(scene.of("frame")) == 2
    assert layout(scene).width <= 830
    assert layout(SCENES["three paths"]()).width <= 830


def test_an_edge_that_the_renderer_lost_is_drawn(monkeypatch):
    render = module.render
    monkeypatch.setattr(module, "render", lambda dot: re.sub(r'<path [^>]*d="[^"]*"/>', "", render(dot)))
    place = layout(MIXED)
    assert len(place.edges) == 15
    assert all(line.d for line in place.edges.values())


def test_the_same_stage_has_the_same_layout():
    assert layout(MIXED) == layout(MIXED)


@pytest.mark.parametrize(
    "scene",
    [
        Scene("", (made_table("x", "other", 1, 0),), ()),
        Scene("", (made_table("x", "list", 1, 0, mark="blue"),), ()),
        Scene("", (made_table("x", "list", 1, 0), made_table("x", "list", 1, 0)), ()),
        Scene("", (made_table("x\n", "list", 1, 0),), ()),
        Scene("", (made_table("x", "list", 1, 0),), (Edge("x", "x", "other"),)),
    ],
    ids=["kind of a table", "mark", "a key twice", "key", "kind of an edge"],
)
def test_unknown_things_are_refused(scene):
    with pytest.raises(InputError):
        layout(scene)


def test_texts_are_measured_generously():
    assert metrics.text_width("read only") > 45.2  # its width in Helvetica
    assert metrics.text_width("of gfn 0x61c9 · root") > 97
    assert metrics.cut("a long text", 30).endswith("...")
    assert metrics.text_width(metrics.cut("a long text", 30)) <= 30
    assert metrics.wrap("one two three four", 45) == ["one two", "three", "four"]
    assert metrics.wrap("", 45) == []
