# SPDX-License-Identifier: GPL-2.0-only
"""Pictures: structure of what is drawn, never where it stands; hostile labels; no renderer; the README's picture."""

import base64
import html
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from kvmmmu_lab import open_guest
from kvmmmu_lab.draw import theme
from kvmmmu_lab.draw.dot import to_dot
from kvmmmu_lab.draw.example import example
from kvmmmu_lab.draw.hierarchy import hierarchy_scene
from kvmmmu_lab.draw.picture import Picture, hierarchy
from kvmmmu_lab.draw.render import VARIABLE, renderers
from kvmmmu_lab.draw.scene import Edge, Entry, Marks, Scene, Table, union

SVG = "{http://www.w3.org/2000/svg}"
HEAP = 0x343C9000
HOSTILE = [
    "</script><script>alert(1)</script>",
    "\"'><b>&amp;&",
    "a\x00b\x1b\x07\ud800",
    "x" * 5000,
    "<TABLE>",
    "]]>",
    "\\N\\G",
]

needs_renderer = pytest.mark.skipif(not renderers(), reason="nothing here can draw")


@pytest.fixture(params=[renderer.name for renderer in renderers()])
def each_renderer(request, monkeypatch):
    monkeypatch.setenv(VARIABLE, request.param)


@pytest.fixture(scope="module")
def vm():
    vm = open_guest("lin64_A").vm()
    vm.access(HEAP, user=True)
    return vm


def structure(svg, prefix):
    """What is in a drawing, without where: ids with classes, and all texts."""
    root = ET.fromstring(svg)
    ids = {(e.get("id").removeprefix("a_").removeprefix(prefix), e.get("class")) for e in root.iter() if e.get("id")}
    return {name for name in ids if name[0].startswith("-")}, texts(root)


def texts(root):
    return sorted("".join(text.itertext()).strip() for text in root.iter(f"{SVG}text"))


@needs_renderer
def test_tables_entries_and_edges_are_there(each_renderer):
    picture = example()
    ids, words = structure(picture.svg, "h")
    for table in picture.scene.tables:
        assert (f"-{table.key.replace(':', '-')}", f"node {table.kind}") in ids
        assert table.title in words
        for entry in table.entries:
            assert f"-{entry.key.replace(':', '-')}" in {name for name, _ in ids}
            assert {entry.flags, entry.target.removeprefix("gfn ")} <= set(words)
    for edge in picture.scene.edges:
        name = f"-{edge.kind}-{edge.source}-{edge.target}".replace(":", "-")
        assert (name, "shadows" if edge.kind == "shadows" else f"edge {edge.kind}") in ids
    assert any("Guest tables" in text for text in words) and any("Shadow tables" in text for text in words)


@needs_renderer
@pytest.mark.parametrize("name", ["lin64_A", "linpae_A", "lin32_A", "lin64_early3_pg", "lin32_early3_pg"])
def test_every_mode_is_drawn(each_renderer, name):
    guest = open_guest(name)
    vm = guest.vm()
    for gva in guest.tlb_gva[:: len(guest.tlb_gva) // 3].tolist():
        vm.access(gva)
        picture = hierarchy(vm, gva)
        ids, _ = structure(picture.svg, picture.prefix)
        assert {f"-{table.key.replace(':', '-')}" for table in picture.scene.tables} <= {name for name, _ in ids}


@needs_renderer
def test_guest_tables_stand_above_shadow_pages_and_columns_keep_their_order(each_renderer, vm):
    from kvmmmu_lab.draw.overlay import _boxes

    vm.access(0xFFFF8880061C9E48)
    picture = hierarchy(vm, HEAP, 0xFFFF8880061C9E48, 0xFFFFFFFF81000000)
    boxes = _boxes(ET.fromstring(picture.svg), picture.prefix, picture.scene)
    assert max(boxes[t.key].bottom for t in picture.scene.of("guest")) < min(
        boxes[t.key].top for t in picture.scene.of("shadow")
    )
    for left in picture.scene.tables:
        for right in picture.scene.tables:
            assert left.column <= right.column or boxes[left.key].right < boxes[right.key].left


@needs_renderer
def test_nothing_moves_on_a_stage(each_renderer, vm):
    from kvmmmu_lab.draw.overlay import _boxes

    early = hierarchy_scene(open_guest("lin64_A").vm(), [HEAP])
    late = hierarchy_scene(vm, [HEAP], Marks({"s:248": "new", "s:248:457": "changed"}))
    stage = union([early, late])
    first, second = Picture(early, stage), Picture(late, stage)
    places = [_boxes(ET.fromstring(p.svg), p.prefix, stage) for p in (first, second)]
    assert places[0] == places[1]
    ids, words = structure(first.svg, first.prefix)
    assert ("-s-248", "node shadow absent") in ids
    assert "shadow L1 #248" not in words
    ids, words = structure(second.svg, second.prefix)
    assert ("-s-248", "node shadow new") in ids


@needs_renderer
def test_what_changed_is_yellow_and_bold_what_dies_is_struck_through(each_renderer, vm):
    def look(mark):
        picture = hierarchy_scene(vm, [HEAP], Marks({"s:248:457": mark}, {"s:248:457": vm.memory.words[0x3F1C9]}))
        return Picture(picture).svg

    for mark, signs in {"changed": ["bold"], "dead": ["bold", "line-through"], "read": ["&gt;"], "": []}.items():
        svg = look(mark)
        assert (theme.CHANGED.lower() in svg.lower()) == (mark in ("changed", "dead"))
        row = svg[svg.index("-s-248-457") :]
        row = row[: row.index("</g>")]
        assert all(sign in row for sign in signs)
        assert ("line-through" in row) == (mark == "dead")


@needs_renderer
@pytest.mark.parametrize("label", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_labels_stay_text(each_renderer, label):
    entry = Entry("g:1:0", label, label, label, "changed", label)
    tables = (
        Table("g:1", "guest", 1, 0, label, (label,), (entry,), label, "new"),
        Table("f:1", "frame", 0, 0, label, (), ()),
    )
    picture = Picture(Scene(label, tables, (Edge("g:1:0", "f:1", "guest"),), (label,)))
    root = ET.fromstring(picture.svg)
    assert {e.tag.removeprefix(SVG) for e in root.iter()} <= set(
        ["svg", "style", "g", "title", "polygon", "polyline", "text", "tspan", "path", "rect", "a"]
    )
    assert theme.plain(label).split()[0] in " ".join(texts(root))
    assert len(theme.plain(label)) <= theme.LONGEST
    page = picture._repr_mimebundle_()["text/html"]
    assert set(re.findall(r"<(\w+)", page)) == {"div", "img"}


def test_without_a_renderer_the_text_shows_and_says_what_to_install(monkeypatch, vm):
    monkeypatch.setenv(VARIABLE, "none")
    bundle = hierarchy(vm, HEAP)._repr_mimebundle_()
    assert bundle["text/html"].startswith("<pre")
    assert "install" in bundle["text/html"]
    assert html.escape(bundle["text/plain"]) in bundle["text/html"]
    assert "457 PWUAD.NX  gfn 0x29a5" in bundle["text/plain"]


@needs_renderer
def test_a_picture_survives_where_neither_scripts_nor_svg_do(vm):
    picture = hierarchy(vm, HEAP)
    bundle = picture._repr_mimebundle_()
    page = bundle["text/html"]
    assert "<script" not in page and "<svg" not in page
    (address,) = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', page)
    root = ET.fromstring(base64.b64decode(address))
    assert root.get("role") == "img"
    (alt,) = re.findall(r'alt="([^"]+)"', page)
    assert html.unescape(alt) == root.get("aria-label")
    assert "0x343c9000" in alt and "shadow L1 #248" in alt
    assert "href" not in base64.b64decode(address).decode().replace('xmlns:xlink="http://www.w3.org/1999/xlink"', "")
    assert str(picture) == bundle["text/plain"]


def test_two_pictures_share_no_ids(vm):
    first, second = (set(re.findall(r'id="([^"]+)"', hierarchy(vm, HEAP).dot, re.I)) for _ in range(2))
    assert first and not first & second
    assert all(re.fullmatch(r"[\w-]+", name) for name in first)


def test_the_same_scene_is_the_same_dot(vm):
    scene = hierarchy_scene(vm, [HEAP])
    assert to_dot(scene, "x") == to_dot(scene, "x")


@needs_renderer
def test_the_readmes_picture_is_up_to_date(each_renderer):
    """To draw it anew: ``python -m kvmmmu_lab.draw.example > notebooks/hierarchy.svg``."""
    path = Path(__file__).resolve().parents[2] / "notebooks/hierarchy.svg"
    assert structure(path.read_text("utf-8"), "h") == structure(example().svg, "h")


def luminance(colour):
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    parts = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), parts, strict=True))


def contrast(one, other):
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_texts_can_be_read():
    for tone in theme.TONES.values():
        assert contrast(tone.ink, theme.PAPER) >= 4.5
        assert contrast(theme.TEXT, tone.tint) >= 4.5
    assert contrast(theme.TEXT, theme.CHANGED) >= 4.5
    assert contrast(theme.QUIET, theme.PAPER) >= 4.5
