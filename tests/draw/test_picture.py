# SPDX-License-Identifier: GPL-2.0-only
"""Pictures: the structure of drawings (not positions), hostile labels, a missing renderer, and the README's picture."""

import base64
import html
import re
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from kvmmmu_lab import InputError, open_guest
from kvmmmu_lab.draw import svg as module
from kvmmmu_lab.draw import theme
from kvmmmu_lab.draw.example import example
from kvmmmu_lab.draw.page_tables import hierarchy_scene
from kvmmmu_lab.draw.pictures import Picture, hierarchy
from kvmmmu_lab.draw.render import NAMES, VARIABLE, RenderError, renderers
from kvmmmu_lab.draw.scene import Edge, Entry, Marks, Scene, Table, union
from kvmmmu_lab.draw.svg import Drawing

SVG = "{http://www.w3.org/2000/svg}"
HEAP = 0x343C9000
HERE = [renderer.name for renderer in renderers()]
HOSTILE = [
    "</script><script>alert(1)</script>",
    "\"'><b>&amp;&",
    "a\x00b\x1b\x07\ud800",
    "x" * 5000,
    "<TABLE>",
    "]]>",
    "\\N\\G",
    "</style><style>*{}",
]

needs_renderer = pytest.mark.skipif(not HERE, reason="nothing here can draw")


@pytest.fixture(params=NAMES)
def each_renderer(request, monkeypatch):
    if request.param not in HERE:
        pytest.skip(f"{request.param} isn't installed")
    monkeypatch.setenv(VARIABLE, request.param)


@pytest.fixture(scope="module")
def vm():
    vm = open_guest("lin64_A").vm()
    vm.access(HEAP, user=True)
    return vm


@pytest.fixture
def film(vm):
    """The scenes before and after an access, and one drawing for both."""
    early = hierarchy_scene(open_guest("lin64_A").vm(), [HEAP])
    late = hierarchy_scene(vm, [HEAP], Marks({"s:248": "new", "s:248:457": "changed", "g:61c9:457": "read"}))
    return early, late, Drawing(union([early, late]))


def drawn(svg):
    """Return the appearance of every element, read back as the player does."""
    found = {}
    for group in ET.fromstring(svg).iter(f"{SVG}g"):
        if group.get("data-key"):
            texts = [child.text or "" for child in group if child.tag in (f"{SVG}title", f"{SVG}text")]
            assert group.get("data-key") not in found
            found[group.get("data-key")] = [group.get("class"), *texts]
    return found


def places(svg):
    """Return the drawing without texts and classes, so that only the layout is left."""
    root = ET.fromstring(svg)
    for element in root.iter():
        if element.tag in (f"{SVG}title", f"{SVG}text", f"{SVG}g"):
            element.text = None
            element.attrib.pop("class", None)
    root.attrib.pop("aria-label")
    return ET.tostring(root)


def all_texts(root):
    return ["".join(text.itertext()).strip() for text in root.iter(f"{SVG}text")]


def test_tables_rows_and_edges_are_there(each_renderer):
    picture = example()
    appearances = drawn(picture.svg)
    assert len(appearances) == len(picture.scene.edges) + sum(1 + len(table.entries) for table in picture.scene.tables)
    assert appearances["s:248"] == [
        "table shadow",
        "shadow L1 #248, of gfn 0x4, 510 empty",
        "shadow L1 #248",
        "of gfn 0x4",
        "510 empty",
    ]
    (entry,) = [entry for entry in picture.scene.table("s:248").entries if entry.index == "6"]
    assert appearances["s:248:6"] == ["row", entry.says, "6", "", "PwUAD..", "0x4"]
    assert appearances["readonly|s:248:6|f:4"] == [
        "edge readonly",
        "entry 6 of shadow L1 #248 of gfn 0x4 leads to frame gfn 0x4 write-protected table, read only",
    ]
    assert appearances["shadows|g:4|s:248"] == ["edge shadows", "PT gfn 0x4 is shadowed by shadow L1 #248 of gfn 0x4"]
    assert appearances["rmap|f:20:rmap|s:248:5"][0] == "edge rmap"
    texts = all_texts(ET.fromstring(picture.svg))
    assert any("Guest tables" in text for text in texts) and any("Shadow tables" in text for text in texts)
    assert picture.scene.notes[0] in texts


def test_what_is_drawn_is_what_appearances_say(each_renderer, film):
    for scene in film[:2]:
        for svg in (film[2].svg(scene, "x"), film[2].bare_svg(scene, "x")):
            assert drawn(svg) == film[2].appearances(scene)


@pytest.mark.parametrize("name", ["lin64_A", "linpae_A", "lin32_A", "lin64_early3_pg", "lin32_early3_pg"])
def test_every_mode_is_drawn(each_renderer, name):
    guest = open_guest(name)
    vm = guest.vm()
    for gva in guest.tlb_gva[:: len(guest.tlb_gva) // 3].tolist():
        vm.access(gva)
        picture = hierarchy(vm, gva)
        assert {table.key for table in picture.scene.tables} <= set(drawn(picture.svg))


def test_nothing_moves_on_a_stage(each_renderer, film):
    early, late, drawing = film
    assert places(drawing.bare_svg(early, "a")) == places(drawing.bare_svg(late, "b"))
    first, second = (Picture(scene, drawing=drawing).svg for scene in (early, late))
    sizes = [ET.fromstring(svg).get("viewBox") for svg in (first, second)]
    assert sizes[0] == sizes[1]
    again = Picture(late, union([early, late]))
    assert again.svg == second


def test_appearances_of_what_is_absent_new_and_changed(film):
    early, late, drawing = film
    before, after = drawing.appearances(early), drawing.appearances(late)
    assert set(before) == set(after)
    assert all(len(before[key]) == len(after[key]) for key in before)
    assert before["s:248"] == ["table shadow absent", "", "", "", ""]
    assert before["s:248:457"] == ["row absent", "", "", "", "", ""]
    assert before["shadow|s:248:457|f:29a5"] == ["edge shadow absent", ""]
    assert after["s:248"][0] == "table shadow new"
    assert after["s:248:457"][0] == "row changed" and after["s:248:457"][3] == "*"
    assert after["g:61c9:457"][0] == "row read" and after["g:61c9:457"][3] == ">"
    assert after["shadow|s:248:457|f:29a5"][0] == "edge shadow"


def test_appearances_need_no_renderer_and_no_time(film, monkeypatch):
    monkeypatch.setenv(VARIABLE, "none")
    _, late, _ = film
    tables = [
        Table(
            f"t:{k}:{n}", t.kind, t.column, t.rank + n, t.title, t.words, t.entries and (Entry(f"t:{k}:{n}:0", "0", "P", "x"),)
        )
        for k, t in enumerate(late.tables)
        for n in range(8)
    ]
    stage = Scene("", tuple(tables), ())
    drawing = Drawing(stage)
    drawing.appearances(stage)
    start = time.process_time()
    drawing.appearances(stage)
    assert time.process_time() - start < 0.05  # it usually takes 2 ms
    with pytest.raises(RenderError):
        drawing.svg(stage, "x")


def test_a_scene_that_is_not_on_the_stage_is_refused(film):
    early, late, _ = film
    with pytest.raises(InputError, match="scene"):
        Drawing(early).appearances(late)


def test_a_text_longer_than_on_the_stage_is_cut():
    stage = Scene("", (Table("a", "list", 0, 0, "title", ("words",), (Entry("a:0", "0", "P", "0x1"),)),), ())
    scene = Scene("", (Table("a", "list", 0, 0, "title" * 9, ("w" * 90,), (Entry("a:0", "0", "P", "0x1" * 9),)),), ())
    appearances = Drawing(stage).appearances(scene)
    assert appearances["a"][2].endswith("...") and appearances["a"][3].endswith("...") and "title" * 9 in appearances["a"][1]
    assert appearances["a:0"] == ["row", "0 P 0x10x10x10x10x10x10x10x10x1", "0", "", "P", "..."]


@needs_renderer
def test_a_legend_says_what_marks_mean(film):
    early, late, drawing = film
    root = ET.fromstring(drawing.svg(late, "x"))
    (legend,) = [text for text in all_texts(root) if "* changed" in text]
    assert "> read" in legend and "double border" in legend and "gone" not in legend
    assert "changed" not in " ".join(all_texts(ET.fromstring(drawing.svg(early, "x"))))


@needs_renderer
def test_appearance_is_in_classes_only(film):
    svg = film[2].bare_svg(film[1], "x")
    assert not re.findall(r'(?:fill|stroke|style|color|font\S*|id|opacity)="', svg)
    assert "<style" not in svg and "#" not in re.sub(r">[^<]*<|aria-label=\"[^\"]*\"", "", svg)
    root = ET.fromstring(svg)
    assert root.get("class") == "kvmmmu-drawing" and root.get("aria-label") == "x"


@pytest.mark.parametrize("label", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_labels_stay_text(each_renderer, label):
    entry = Entry("g:1:0", label, label, label, "changed", label)
    tables = (
        Table("g:1", "guest", 1, 0, label, (label,), (entry,), label, "new"),
        Table("f:1", "frame", 0, 0, label, (), ()),
    )
    picture = Picture(Scene(label, tables, (Edge("g:1:0", "f:1", "guest"),), (label,)))
    for svg in (picture.svg, picture.drawing.bare_svg(picture.scene, theme.plain(label))):
        root = ET.fromstring(svg)
        tags = {element.tag.removeprefix(SVG) for element in root.iter()}
        assert tags <= {"svg", "style", "g", "title", "path", "text", "tspan", "rect"}
        assert theme.plain(label)[:8] in " ".join(all_texts(root))
        assert re.findall(r"<(?!/?(?:svg|style|g|title|path|text|tspan|rect)\b)", svg) == []
        assert float(root.get("width")) < 1000
    page = picture._repr_mimebundle_()["text/html"]
    assert set(re.findall(r"<(\w+)", page)) == {"div", "img", "style"}


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
    light, dark = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', page)
    root = ET.fromstring(base64.b64decode(light))
    assert theme.colours()["text"] in root.find(f"{SVG}style").text
    assert theme.colours(dark=True)["text"] in ET.fromstring(base64.b64decode(dark)).find(f"{SVG}style").text
    assert re.search(r'<img class="dark"[^>]* style="display:none;', page), "the light one shows where rules are taken out"
    assert 'tabindex="0" role="group" aria-label="Picture"' in page, "the arrow keys scroll it"
    assert root.get("role") == "img"
    alt, _ = re.findall(r'alt="([^"]+)"', page)
    assert html.unescape(alt) == root.get("aria-label")
    assert "0x343c9000" in alt and "shadow L1 #248" in alt
    style = root.find(f"{SVG}style").text
    assert "var(" not in style and "url(" not in style and "@import" not in style
    assert not [name for element in root.iter() for name in element.attrib if "href" in name or name == "id"]
    assert str(picture) == bundle["text/plain"]


@needs_renderer
def test_pictures_of_one_drawing_are_laid_out_once(film, monkeypatch):
    early, late, _ = film
    calls, make = [], module.layout
    monkeypatch.setattr(module, "layout", lambda stage: calls.append(stage) or make(stage))
    drawing = Drawing(union([early, late]))
    assert not calls
    for scene in (early, late, early):
        assert Picture(scene, drawing=drawing).svg
    assert len(calls) == 1


@needs_renderer
def test_the_same_scene_is_the_same_picture(vm):
    assert hierarchy(vm, HEAP).svg == hierarchy(vm, HEAP).svg


@needs_renderer
def test_saving(vm, tmp_path):
    picture = hierarchy(vm, HEAP)
    picture.save(tmp_path / "picture.svg")
    assert (tmp_path / "picture.svg").read_text("utf-8") == picture.svg + "\n"
    picture.save(str(tmp_path / "picture.txt"))
    assert "shadow L1 #248" in (tmp_path / "picture.txt").read_text("utf-8")
    with pytest.raises(InputError, match=r"\.svg"):
        picture.save(tmp_path / "picture.png")
    with pytest.raises(InputError, match="No such file"):
        picture.save(tmp_path / "nowhere" / "picture.svg")


@needs_renderer
def test_the_readmes_picture_is_up_to_date():
    """To draw it again: ``python -m kvmmmu_lab.draw.example > notebooks/hierarchy.svg``."""
    text = (Path(__file__).resolve().parents[2] / "notebooks/hierarchy.svg").read_text("utf-8")
    assert drawn(text) == drawn(example().svg)
    assert theme.still_style() == ET.fromstring(text).find(f"{SVG}style").text


@needs_renderer
def test_an_image_is_shorter_than_the_drawing_and_has_all_that_can_be_seen(film):
    early, late, _ = film
    drawing = Drawing(union([early, late]))
    for scene in (early, late):
        whole, short = (ET.fromstring(make(scene, "alt")) for make in (drawing.svg, drawing.image))
        assert len(ET.tostring(short)) < 0.65 * len(ET.tostring(whole))
        assert not [one for one in short.iter() if one.tag == f"{SVG}title" or one.get("data-key")]
        for name in ("width", "height"):
            assert float(short.get(name)) == float(whole.get(name))
        texts = [
            [one.text for one in root.iter(f"{SVG}text") if one.text] + [one.tail for one in root.iter(f"{SVG}tspan")]
            for root in (whole, short)
        ]
        assert texts[0] == texts[1]
        classes = {name for one in short.iter() for name in (one.get("class") or "").split()}
        rules = short.find(f"{SVG}style").text
        assert {"kvmmmu-drawing", "paper", "heading"} <= set(re.findall(r"\.([a-z-]+)", rules)) <= classes
