# SPDX-License-Identifier: GPL-2.0-only
"""What is added to a rendered drawing: boxes around guest and shadow tables, what shadows what, second borders.

Renderers differ in how they order clusters and how they route edges inside a column, and a border takes room; placed
afterwards, all this is the same everywhere and moves nothing.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import NamedTuple

from . import theme
from .dot import columns, element_id
from .scene import Scene

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
BOXES = {
    "guest": ("Guest tables", "in guest memory; the guest writes them, the processor never reads them"),
    "shadow": ("Shadow tables", "in host memory; what the processor walks"),
}
MARGIN, TITLE_HEIGHT = 6.0, 20.0

ET.register_namespace("", SVG)
ET.register_namespace("xlink", XLINK)


class Box(NamedTuple):
    """A rectangle in the drawing's coordinates; y grows downwards."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def middle(self) -> float:
        """Half way between left and right."""
        return (self.left + self.right) / 2


def finish(svg: str, scene: Scene, prefix: str, stage: Scene | None, name: str) -> str:
    """The rendered scene with boxes, titles, dotted lines, the theme's faces, and ``name`` for who can't see it."""
    root = ET.fromstring(svg)
    for link in root.iter(f"{{{SVG}}}a"):
        link.attrib.pop(f"{{{XLINK}}}href", None)
    boxes = _boxes(root, prefix, stage or scene)
    graph = root.find(f"{{{SVG}}}g")
    if graph is not None:
        behind = _correspondences(boxes, scene, stage or scene, prefix) + _frames(boxes, stage or scene, prefix)
        behind += _second_borders(boxes, scene)
        first = next((i for i, child in enumerate(graph) if child.tag == f"{{{SVG}}}g"), len(graph))
        graph[first:first] = behind
    style = ET.Element(f"{{{SVG}}}style")
    style.text = theme.STYLE
    root.insert(0, style)
    root.set("role", "img")
    root.set("aria-label", name)
    return ET.tostring(root, encoding="unicode")


def _boxes(root: ET.Element, prefix: str, stage: Scene) -> dict[str, Box]:
    """Where each table came to stand."""
    keys = {element_id(prefix, table.key): table.key for table in stage.tables}
    found = {}
    for group in root.iter(f"{{{SVG}}}g"):
        key = keys.get(group.get("id", ""))
        if key is not None:
            shapes = group.iter(f"{{{SVG}}}polygon")
            points = [tuple(map(float, p.split(","))) for shape in shapes for p in shape.get("points", "").split()]
            xs, ys = [x for x, _ in points], [y for _, y in points]
            found[key] = Box(min(xs), min(ys), max(xs), max(ys))
    return found


def _frames(boxes: dict[str, Box], stage: Scene, prefix: str) -> list[ET.Element]:
    elements = []
    # Both boxes are equally wide, though a guest may have fewer levels than its shadow
    sides = [boxes[table.key] for kind in BOXES for table in stage.of(kind) if table.key in boxes]
    for kind, (title, words) in BOXES.items():
        inside = [boxes[table.key] for table in stage.of(kind) if table.key in boxes]
        if not inside:
            continue
        left, right = min(box.left for box in sides) - MARGIN, max(box.right for box in sides) + MARGIN
        top, bottom = min(box.top for box in inside) - TITLE_HEIGHT, max(box.bottom for box in inside) + MARGIN
        tone = theme.TONES[kind]
        place = {"x": left, "y": top, "width": right - left, "height": bottom - top, "rx": 7}
        elements.append(_element("rect", place, fill="none", stroke=tone.box, id=element_id(prefix, kind)))
        halo = {"paint-order": "stroke", "stroke": theme.PAPER, "stroke-width": "4"}
        text = _element("text", {"x": left + 7, "y": top + 13, "font-size": 10}, fill=tone.ink, **halo)
        strong = ET.SubElement(text, f"{{{SVG}}}tspan", {"font-weight": "bold"})
        strong.text, strong.tail = title, f" ({words})"
        elements.append(text)
    return elements


def _correspondences(boxes: dict[str, Box], scene: Scene, stage: Scene, prefix: str) -> list[ET.Element]:
    """Dotted lines from guest tables down to the pages that shadow them: straight, or round what stands between."""
    elements = []
    order = {
        table.key: (column, place) for column, tables in columns(stage).items() for place, table in enumerate(tables)
    }
    bends = 0
    for edge in stage.edges:
        if edge.kind != "shadows" or edge.source not in boxes or edge.target not in boxes:
            continue
        above, below = boxes[edge.source], boxes[edge.target]
        if order[edge.target][1] - order[edge.source][1] == 1:
            path = f"M{above.middle:.1f},{above.bottom:.1f} L{above.middle:.1f},{below.top:.1f}"
        else:
            bend = min(above.left, below.left) - 7 - bends % 3 * 4
            bends += 1
            start, end = above.top + 25, below.top + 25
            path = (
                f"M{above.left:.1f},{start:.1f} C{bend:.1f},{start:.1f} {bend:.1f},{start:.1f} {bend:.1f},{start + 12:.1f} "
                f"L{bend:.1f},{end - 12:.1f} C{bend:.1f},{end:.1f} {bend:.1f},{end:.1f} {below.left:.1f},{end:.1f}"
            )
        if edge in scene.edges:
            name = element_id(prefix, f"shadows-{edge.source}-{edge.target}")
            look = {"fill": "none", "stroke": theme.QUIET, "stroke-width": "1.3", "stroke-dasharray": "1.3,3"}
            elements.append(_element("path", {}, d=path, id=name, **look, **{"class": "shadows"}))
    return elements


def _second_borders(boxes: dict[str, Box], scene: Scene) -> list[ET.Element]:
    """Around tables that are new or dying."""
    elements = []
    for table in scene.tables:
        if table.mark and table.key in boxes:
            left, top, right, bottom = boxes[table.key]
            place = {"x": left - 3, "y": top - 3, "width": right - left + 6, "height": bottom - top + 6}
            elements.append(_element("rect", place, fill="none", stroke=theme.TONES[table.kind].ink))
    return elements


def _element(tag: str, numbers: dict[str, float], **words: str) -> ET.Element:
    return ET.Element(f"{{{SVG}}}{tag}", {**{name: f"{value:g}" for name, value in numbers.items()}, **words})
