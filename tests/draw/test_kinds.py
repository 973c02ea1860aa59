# SPDX-License-Identifier: GPL-2.0-only
"""The SVG and the DOT of every kind of picture contain all tables, entries, edges and texts of its scene."""

import re
import xml.etree.ElementTree as ET

import pytest

from kvmmmu_lab import open_guest
from kvmmmu_lab.draw import metrics, pictures
from kvmmmu_lab.draw.render import NAMES, VARIABLE, render, renderers
from kvmmmu_lab.draw.scene import edges_of

SVG = "{http://www.w3.org/2000/svg}"
GUESTS = ("lin64_A", "linpae_A", "lin32_A")
HERE = [renderer.name for renderer in renderers()]


@pytest.fixture(scope="module")
def machines():
    """Return guests that have used some pages, each with an address, the frame it reaches, and a shadow page."""
    found = {}
    for name in GUESTS:
        guest = open_guest(name)
        vm = guest.vm()
        pages = guest.tlb_gva[guest.tlb_flags & 3 == 3][:30].tolist()
        for gva in pages:
            vm.access(gva, write=True, user=True)
        gpa = vm.access(pages[0], user=True).gpa
        found[name] = vm, pages[0], gpa >> 12, next(reversed(vm.pool.active)).id
    return found


def asked(name, gva, gfn, page):
    return {
        "hierarchy": (gva,),
        "walk": (gva,),
        "large_page": (gva,),
        "guest_walk": (gva,),
        "bit_row": (gva,),
        "entry_bits": (gva,),
        "reverse_map": (gfn,),
        "who_maps": (gfn,),
        "parent_chains": (page,),
        "hash_bucket": (gfn,),
    }.get(name, ())


@pytest.mark.parametrize("renderer", NAMES)
@pytest.mark.parametrize("guest", GUESTS)
@pytest.mark.parametrize("name", pictures.__all__)
def test_the_svg_has_what_the_scene_has(name, guest, renderer, machines, monkeypatch):
    if renderer not in HERE:
        pytest.skip(f"{renderer} isn't installed")
    monkeypatch.setenv(VARIABLE, renderer)
    vm, *known = machines[guest]
    picture = getattr(pictures, name)(vm, *asked(name, *known))
    scene = picture.scene
    root = ET.fromstring(picture.svg)
    groups = {group.get("data-key"): group for group in root.iter(f"{SVG}g") if group.get("data-key")}
    tables = {table.key: table for table in scene.tables}
    rows = {entry.key: entry for table in scene.tables for entry in table.entries}
    edges = edges_of(scene)
    assert set(groups) == {*tables, *rows, *edges} and tables
    for key, table in tables.items():
        assert groups[key].get("class").split() == ["table", table.kind, *[table.mark] * bool(table.mark)]
        assert {group.get("data-key") for group in groups[key].iter(f"{SVG}g")} - {None} == {
            key,
            *(entry.key for entry in table.entries),
        }
        assert table.title in " ".join(groups[key].itertext())
    for key, entry in rows.items():
        assert groups[key].get("class").split()[0] == "row"
        said = " ".join(text for text in groups[key].itertext())
        assert entry.index in said and entry.flags in said
    for key, edge in edges.items():
        assert groups[key].get("class") == f"edge {edge.kind}"
        assert groups[key].find(f"{SVG}path").get("d")
    assert all(note[:20] in "".join(root.itertext()) for note in scene.notes)


@pytest.mark.parametrize("renderer", NAMES)
@pytest.mark.parametrize("guest", GUESTS)
@pytest.mark.parametrize("name", pictures.__all__)
def test_the_dot_has_what_the_scene_has(name, guest, renderer, machines, monkeypatch):
    if renderer not in HERE:
        pytest.skip(f"{renderer} isn't installed")
    monkeypatch.setenv(VARIABLE, renderer)
    vm, *known = machines[guest]
    picture = getattr(pictures, name)(vm, *asked(name, *known))
    groups = list(ET.fromstring(render(picture.dot)).iter(f"{SVG}g"))
    nodes = {group.find(f"{SVG}title").text: group for group in groups if group.get("class") == "node"}
    for table in picture.scene.tables:
        said = " ".join("".join(text.itertext()) for text in nodes[table.key].iter(f"{SVG}text"))
        said = said.replace("\N{NO-BREAK SPACE}", " ")
        for text in (table.title, *table.words, table.rest, *(cell for row in table.entries for cell in metrics.cells(row))):
            assert text.replace("·", "-").replace("→", "->") in said
    rows = {entry.key: table.key for table in picture.scene.tables for entry in table.entries}
    ends = [sorted((rows.get(edge.source, edge.source), rows.get(edge.target, edge.target))) for edge in picture.scene.edges]
    drawn = [group.find(f"{SVG}title").text for group in groups if group.get("class") == "edge"]
    found = [sorted(re.sub(r"(:(h|r\d+[we]))?:[we]$", "", end) for end in title.split("->")) for title in drawn]
    assert sorted(found) == sorted(ends)
