# SPDX-License-Identifier: GPL-2.0-only
"""The layout of each renderer: columns and order are right, nothing is outside the drawing, and nothing overlaps."""

import re
from itertools import combinations, pairwise

import pytest

from kvmmmu_lab import InputError, open_guest
from kvmmmu_lab.draw import layout as module
from kvmmmu_lab.draw import metrics
from kvmmmu_lab.draw.geometry import Box, points
from kvmmmu_lab.draw.layout import LABEL, layout
from kvmmmu_lab.draw.page_tables import hierarchy_scene
from kvmmmu_lab.draw.render import NAMES, VARIABLE, renderers
from kvmmmu_lab.draw.scene import Edge, Entry, Scene, Table

HEAP, KERNEL = 0x343C9000, 0xFFFF8880061C9E48
HERE = [renderer.name for renderer in renderers()]


@pytest.fixture(params=NAMES, autouse=True)
def each_renderer(request, monkeypatch):
    if request.param not in HERE:
        pytest.skip(f"{request.param} isn't installed")
    monkeypatch.setenv(VARIABLE, request.param)


def paths(name, *gvas, user=True):
    vm = open_guest(name).vm()
    for gva in gvas:
        vm.access(gva, user=user and gva < 1 << 31)
    return hierarchy_scene(vm, gvas)


def table(key, kind, column, rank, rows=2, **more):
    entries = tuple(Entry(f"{key}:{k}", str(k), "PW.....", f"gfn {k:#x}", "", "says") for k in range(rows))
    return Table(key, kind, column, rank, more.pop("title", key), more.pop("words", ("words",)), entries, **more)


MIXED = Scene(
    "everything at once",
    (
        table("g:2", "guest", 2, 0),
        table("g:1", "guest", 1, 0, title="W" * 200),
        table("s:2", "shadow", 2, 0),
        table("s:1", "shadow", 1, 0, rest="511 empty"),
        table("s:0", "shadow", 1, 1, rows=0, words=()),
        table("f:1", "frame", 0, 0, rows=1),
        table("d:1", "rmap", -1, 0, rows=4),
        table("d:2", "rmap", -1, 1, rows=4),
        table("l:1", "list", 5, 0, rows=6),
        table("l:2", "list", 1, 2, rows=1),
    ),
    (
        Edge("g:2:0", "g:1", "guest"),
        Edge("s:2:1", "s:1", "shadow"),
        Edge("s:1:0", "f:1", "readonly"),
        Edge("g:2:1", "f:1", "guest"),
        Edge("g:2", "s:2", "shadows"),
        Edge("g:1", "s:1", "shadows"),
        Edge("g:1", "s:0", "shadows"),
        Edge("f:1:0", "s:1:1", "rmap"),
        Edge("d:1:0", "s:2:1", "rmap"),
        Edge("s:1", "s:2:1", "parent"),
        Edge("d:1:3", "d:2", "link"),
        Edge("d:2", "d:1", "link"),
        Edge("l:1:0", "s:2", "link"),
        Edge("l:1:1", "l:1:4", "link"),
        Edge("f:1:0", "d:1", "link"),
        Edge("nobody", "s:1", "link"),
        Edge("s:1", "s:1:99", "parent"),
    ),
)
SCENES = {
    "two paths": lambda: paths("lin64_A", HEAP, KERNEL),
    "three paths": lambda: paths("lin64_A", HEAP, KERNEL, 0xFFFFFFFF81000000),
    "pae": lambda: paths("linpae_A", 0x804D000, 0xC1400000),
    "32 bits": lambda: paths("lin32_A", 0x804D000, 0xC1400000),
    "everything": lambda: MIXED,
    "one table": lambda: Scene("", (table("s:1", "shadow", 1, 0),), ()),
    "nothing": lambda: Scene("", (), ()),
    "lists": lambda: Scene("", (table("a", "list", 1, 0, 20), table("b", "list", 0, 0)), (Edge("a:3", "b", "link"),)),
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


def test_words_beside_an_edge_have_room():
    place = layout(SCENES["two paths"]())
    labels = [line.label for line in place.edges.values() if line.label]
    assert len(labels) == 1
    (x, y) = labels[0]
    assert not any(Box(x - LABEL + 4, y - 9, LABEL - 4, 11).meets(box) for box in place.tables.values())


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
        Scene("", (table("x", "other", 1, 0),), ()),
        Scene("", (table("x", "list", 1, 0, mark="blue"),), ()),
        Scene("", (table("x", "list", 1, 0), table("x", "list", 1, 0)), ()),
        Scene("", (table("x\n", "list", 1, 0),), ()),
        Scene("", (table("x", "list", 1, 0),), (Edge("x", "x", "other"),)),
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
