# SPDX-License-Identifier: GPL-2.0-only
"""Whole drawings as DOT: each Graphviz renders all labels in the right order, and hostile labels remain plain text."""

import re
import shutil
import xml.etree.ElementTree as ET
from itertools import pairwise

import graphviz
import pytest

from kvmmmu_lab import InputError, open_guest
from kvmmmu_lab.draw import theme
from kvmmmu_lab.draw.dot import LINES, stacks, to_dot
from kvmmmu_lab.draw.page_tables import hierarchy_scene, overview_scene
from kvmmmu_lab.draw.pictures import Picture, hierarchy
from kvmmmu_lab.draw.render import NAMES, VARIABLE, render, renderers
from kvmmmu_lab.draw.scene import Edge, Entry, Marks, Scene, Table

SVG = "{http://www.w3.org/2000/svg}"
HEAP, KERNEL = 0x343C9000, 0xFFFF8880061C9E48
HERE = [renderer.name for renderer in renderers()]
HOSTILE = {
    "a script": "</script><script>alert(1)</script>",
    "quotes": "\"'><b>&amp;&",
    "a newline and a control character": "a\nb\x00c\ud800",
    "5,000 letters": "x" * 5000,
    "a tag of a label": "<TABLE>",
    "backslashes": "\\N\\G\\L\\\\",
    "other scripts": "größe → 中文 שלום \U0001f40d",
    "end of a label": ">]; a -> b; //",
}


@pytest.fixture(params=NAMES)
def each_renderer(request, monkeypatch):
    if request.param not in HERE:
        pytest.skip(f"{request.param} isn't installed")
    monkeypatch.setenv(VARIABLE, request.param)


@pytest.fixture(scope="module")
def vm():
    vm = open_guest("lin64_A").vm()
    vm.access(HEAP, user=True)
    vm.access(KERNEL)
    return vm


def nodes(svg):
    """The corners (left, top, right, bottom) of each node, by its name."""
    found = {}
    for group in ET.fromstring(svg).iter(f"{SVG}g"):
        points = [p.split(",") for shape in group.iter(f"{SVG}polygon") for p in shape.get("points").split()]
        if group.get("class") == "node" and points:
            xs, ys = ([float(p[axis]) for p in points] for axis in (0, 1))
            found[group.find(f"{SVG}title").text] = min(xs), min(ys), max(xs), max(ys)
    return found


def texts(svg):
    return ["".join(text.itertext()) for text in ET.fromstring(svg).iter(f"{SVG}text")]


def test_a_path_as_anyone_draws_it(each_renderer, vm):
    picture = hierarchy(vm, HEAP)
    svg = render(picture.dot)
    assert {"g:61a6", "g:61c9", "s:251", "s:248", "f:29a5"} <= set(nodes(svg))
    said = texts(svg)
    for text in ("64-bit guest: the path of 0x343c9000", "Guest tables", "shadow L1 #248", "PWUAD.NX", "57 more, 454 empty"):
        assert text in said
    assert "4 of 11 shadow pages in use are drawn" in said


@pytest.mark.parametrize("make", [lambda vm: hierarchy_scene(vm, [HEAP, KERNEL]), overview_scene], ids=["paths", "trees"])
def test_columns_and_bands_keep_their_order(each_renderer, vm, make):
    scene = make(vm)
    at = nodes(render(to_dot(scene)))
    for tables in stacks(scene).values():
        assert all(at[above.key][3] < at[below.key][1] for above, below in pairwise(tables))
    for left, right in pairwise(stacks(scene).values()):
        assert max(at[table.key][2] for table in left) < min(at[table.key][0] for table in right)
    lowest = max(at[table.key][3] for table in scene.of("guest"))
    assert lowest < min(at[table.key][1] for table in scene.of("shadow"))


def test_the_package_draws_it_as_it_is(vm):
    if shutil.which("dot") is None:
        pytest.skip("dot isn't installed")
    drawn = graphviz.Source(hierarchy(vm, HEAP).dot).pipe("svg")
    assert "shadow L1 #248" in texts(drawn)


def test_each_mark_has_its_sign_and_more_than_a_colour():
    marks = ("", "changed", "read", "dead", "new")
    entries = tuple(Entry(f"s:1:{number}", str(number), "PW.....", "0x1", mark) for number, mark in enumerate(marks))
    dot = to_dot(Scene("", (Table("s:1", "shadow", 1, 0, "t", (), entries),), ()))
    rows = dict(zip(marks, re.findall(r'<TR><TD PORT="r.*?</TR>', dot), strict=True))
    assert [mark for mark in marks if theme.colours()["changed"] in rows[mark]] == ["changed", "dead", "new"]
    assert [mark for mark in marks if "<S>" in rows[mark]] == ["dead"]
    assert [mark for mark in marks if rows[mark].count("<B>") >= 3] == ["changed", "dead", "new"]
    assert ["<B>*</B>" in rows["changed"], "<B>&#62;</B>" in rows["read"], "<B>+</B>" in rows["new"]] == [True] * 3


def test_new_tables_have_a_double_border_and_dead_ones_a_dashed_one():
    marks = ("", "changed", "read", "dead", "new")
    tables = [Table(f"s:{number}", "shadow", 0, number, "t", ("w",), (), "", mark) for number, mark in enumerate(marks)]
    labels = re.findall(r'^"s:\d" \[label=.*$', to_dot(Scene("", tuple(tables), ())), re.MULTILINE)
    borders = [(label.count('<TABLE BORDER="1"'), "DASHED" in label, "<S>" in label) for label in labels]
    plain = (1, False, False)
    assert dict(zip(marks, borders, strict=True)) == {
        "": plain, "changed": plain, "read": plain, "dead": (2, True, True), "new": (2, False, False),
    }  # fmt: skip


def test_a_step_says_what_its_marks_mean(each_renderer, vm):
    key = next(entry.key for table in hierarchy(vm, HEAP).scene.of("shadow") for entry in table.entries)
    marked = Picture(hierarchy_scene(vm, [HEAP], Marks({key: "changed"})))
    assert any("* changed" in text for text in texts(render(marked.dot)))
    assert not any("* changed" in text for text in texts(render(hierarchy(vm, HEAP).dot)))


def test_kinds_of_edges_differ_in_style():
    tables = tuple(Table(f"s:{n}", "shadow", 2 - n, 0, "t", (), ()) for n in range(2))
    styles = {}
    for kind in theme.EDGES:
        (line,) = [line for line in to_dot(Scene("", tables, (Edge("s:0", "s:1", kind),))).splitlines() if ":e -> " in line]
        styles[kind] = re.search(r"style=(\w+)", line)[1], "read only" in line, "dir=none" in line
    assert styles == {
        "guest": ("solid", False, False),
        "shadow": ("solid", False, False),
        "readonly": ("dashed", True, False),
        "shadows": ("dotted", False, True),
        "rmap": ("dashed", False, False),
        "parent": ("dotted", False, False),
        "link": ("solid", False, False),
    }


@pytest.mark.parametrize("label", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_labels_stay_text(each_renderer, label):
    entry = Entry("g:1:0", label, label, label, "changed", label)
    tables = (
        Table("g:1", "guest", 1, 0, label, (label,), (entry,), label, "new"),
        Table('f:"\\', "frame", 0, 0, label, (), ()),
    )
    dot = to_dot(Scene(label, tables, (Edge("g:1:0", 'f:"\\', "guest"),), (label,)))
    assert dot.isascii() and not set(re.findall(r"#[0-9A-Fa-f]+\b", dot)) - {c for c in theme.colours().values()} - set(
        re.findall(r"#\d+(?=;)", dot)
    )
    svg = render(dot)
    root = ET.fromstring(svg)
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        "svg",
        "g",
        "title",
        "polygon",
        "text",
        "path",
        "polyline",
    }
    expected = "".join({"→": "->"}.get(letter, letter) for letter in theme.plain(label, 60))
    assert [text for text in texts(svg) if text == expected], texts(svg)
    assert len([group for group in root.iter(f"{SVG}g") if group.get("class") == "edge"]) == 1
    assert set(nodes(svg)) == {"g:1", "t1"}


def test_labels_of_the_kit_are_ascii_and_colours_have_six_digits(vm):
    dot = hierarchy(vm).dot
    assert dot.isascii() and "&#" not in dot
    assert {len(colour) for colour in re.findall(r"#[0-9A-Fa-f]+(?=\")", dot)} == {7}


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(InputError, match="kind of a table"):
        to_dot(Scene("", (Table("x", "other", 1, 0, "t"),), ()))


def test_it_needs_no_renderer_and_is_saved_as_a_file(vm, tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "none")
    picture = hierarchy(vm, HEAP)
    picture.save(tmp_path / "picture.dot")
    assert (tmp_path / "picture.dot").read_text("ascii") == picture.dot


@pytest.mark.parametrize("kind", theme.EDGES)
def test_edges_have_the_colours_and_styles_of_the_stylesheet(kind):
    css = theme.stylesheet()
    (colour,) = re.findall(rf"\.{kind}\b[^{{}}]*\{{ color: var\(--([\w-]+)\)", css)
    dashes = f".kvmmmu-drawing .{kind} > .line {{ stroke-dasharray" in css
    assert LINES[kind] == (colour, LINES[kind][1]) and (LINES[kind][1] != "solid") == dashes
