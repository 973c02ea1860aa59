# SPDX-License-Identifier: GPL-2.0-only
"""A stage and a scene as SVG. Only classes determine how an element looks, so that a player can switch between scenes.

Every table, row and edge is a ``<g data-key="...">``. Its *appearance* in a scene is ``[class, text, text, ...]``: the value
of its class attribute, then the contents of its direct ``title`` and ``text`` children in document order. All scenes of a
stage have the same elements in the same places; only appearances differ. There are no ids, so drawings on one page can't
clash.
"""

from __future__ import annotations

import base64
import functools
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping, Sized

from ..errors import InputError
from ..inspect.keys import CHAIN, DESCRIPTOR, Key
from . import metrics
from .geometry import Box
from .layout import READ_ONLY, Layout, layout
from .metrics import Column
from .scene import Edge, Entry, Scene, Table, check, edges_of
from .theme import MEANINGS, SIGNS, plain, still_style

SVG = "http://www.w3.org/2000/svg"

ET.register_namespace("", SVG)

Appearance = list[str]
"""The class attribute of an element, then the contents of its direct title and text children."""

LEADS = {
    "guest": "{0} leads to {1}",
    "shadow": "{0} leads to {1}",
    "readonly": "{0} leads to {1}, read only",
    "shadows": "{0} is shadowed by {1}",
    "rmap": "{0} can be written through {1}",
    "parent": "{0} is linked from {1}",
    "link": "{0} is followed by {1}",
}
"""The title of each kind of edge."""

REFERS = "{0} refers to {1}"
"""The title of an edge from a position in a descriptor or a chain."""

DRAWN = {"dead": f"{SIGNS['dead']}, struck through:", "new": "double border:"}
"""The words in the legend that replace the sign of a mark."""

LEFT = 10
"""Left margin of the notes, in pixels."""


class Drawing:
    """A stage that is laid out once and serves the pictures of all its scenes.

    Its methods raise `RenderError` if no renderer can lay it out (`appearances` needs no layout), and InputError for a scene
    with something that isn't on the stage or with an unknown kind or mark.
    """

    def __init__(self, stage: Scene, place: Layout | None = None) -> None:
        self.stage = stage
        if place is not None:
            self.layout = place

    @functools.cached_property
    def layout(self) -> Layout:
        """The positions of everything on the stage."""
        return layout(self.stage)

    @functools.cached_property
    def columns(self) -> dict[int, metrics.Column]:
        """The widths of the stage's tables and of their cells."""
        return metrics.columns(self.stage)

    def appearances(self, scene: Scene) -> dict[str, Appearance]:
        """Return the appearance of each element of the stage in a scene, by its key."""
        return appearances(self.stage, self.columns, scene)

    def svg(self, scene: Scene, alt: str, dark: bool = False) -> str:
        """Return one scene as a standalone picture: with colours, and with a legend and the notes below the drawing."""
        root = self._standalone(self.appearances(scene), alt, self._notes(scene))
        root.insert(0, _style(still_style(dark)))
        return ET.tostring(root, encoding="unicode")

    def image(self, scene: Scene, alt: str, dark: bool = False) -> str:
        """Like `svg`, but for an ``img`` element, so without titles and keys, and without what can't be seen in this scene.

        A notebook saves these pictures, so they are as short as they can be.
        """
        return self.still(self.appearances(scene), alt, self._notes(scene), dark)

    def still(self, now: dict[str, Appearance], alt: str, notes: Iterable[str], dark: bool = False) -> str:
        """Like `image`, with these appearances and notes."""
        root = self._standalone(now, alt, notes)
        _remove_unseen(root)
        classes = {name for element in root.iter() for name in element.get("class", "").split()}
        root.insert(0, _style(_rules_for(classes, still_style(dark))))
        return _ROUND.sub("", ET.tostring(root, encoding="unicode"))

    def bare_svg(self, scene: Scene, alt: str) -> str:
        """Like `svg`, but without style, legend and notes, for a page that has `theme.stylesheet` and switches appearances."""
        return self.bare(self.appearances(scene), alt)

    def bare(self, now: dict[str, Appearance], alt: str, notes: Iterable[str] = ()) -> str:
        """Like `bare_svg`, with these appearances and notes."""
        return ET.tostring(self._standalone(now, alt, notes, "group"), encoding="unicode")

    def _notes(self, scene: Scene) -> list[str]:
        """Return the lines below a scene.

        On a stage that several scenes share there is always a line for the legend, so that pictures with and without marks have
        the same height.
        """
        legend = legend_of(scene)
        return [*scene.notes, *([legend] if legend or scene is not self.stage else [])]

    def _standalone(self, now: dict[str, Appearance], alt: str, notes: Iterable[str], role: str = "img") -> ET.Element:
        root = self._root(now, alt, role)
        below, height = _below(notes, self.layout.width, self.layout.height)
        root.extend(below)
        _set_size(root, self.layout.width, height)
        return root

    def _root(self, now: dict[str, Appearance], alt: str, role: str) -> ET.Element:
        place = self.layout
        root = ET.Element("svg", {"xmlns": SVG, "class": "kvmmmu-drawing", "role": role, "aria-label": alt})
        root.append(_rect("stage", Box(0, 0, place.width, place.height), 6))
        root.extend(_rect(f"box {kind}", box, 7) for kind, box in place.boxes.items())
        root.extend(self._edge(key, edge, now[key]) for key, edge in edges_of(self.stage).items())
        root.extend(self._table(table, now) for table in self.stage.tables)
        root.extend(title for kind in place.boxes for title in self._box_title(kind))
        return root

    def _box_title(self, kind: str) -> list[ET.Element]:
        box, found = self.layout.boxes[kind], []
        for number, line in enumerate(self.layout.titles[kind]):
            text = _text(f"boxtitle {kind}", "", box.x + 7, box.y + 13 + number * metrics.LINE)
            name = self.stage.box_titles[kind][0] if number == 0 else ""
            if name:
                ET.SubElement(text, "tspan", {"class": "name"}).text = name
                text[0].tail = line[len(name) :]
            else:
                text.text = line
            # a background rectangle hides the lines behind the words
            found += [_rect("plate", Box(box.x + 5, box.y + 3 + number * metrics.LINE, metrics.text_width(line) + 6, 13)), text]
        return found

    def _edge(self, key: str, edge: Edge, look: Appearance) -> ET.Element:
        group, line = _group(key, look), self.layout.edges[key]
        ET.SubElement(group, "title").text = look[1]
        ET.SubElement(group, "path", {"class": "line", "d": line.d})
        if line.head:
            ET.SubElement(group, "path", {"class": "head", "d": line.head})
        if line.label:
            # in a separate group, since the label isn't part of the appearance
            ET.SubElement(group, "g").append(_text("label", READ_ONLY, *line.label))
        return group

    def _table(self, table: Table, now: dict[str, Appearance]) -> ET.Element:
        look, box, heights = now[table.key], self.layout.tables[table.key], self.layout.heights
        split = self.layout.beside.get(table.key)
        group = _group(table.key, look)
        ET.SubElement(group, "title").text = look[1]
        group.append(_rect("second", Box(box.x - 3, box.y - 3, box.width + 6, box.height + 6), 6))
        group.append(_rect("paper", box, 4))
        bar = box._replace(width=split or box.width, height=heights.bar)
        top, lines = (box.y, len(table.words)) if split else (bar.bottom, len(table.words))
        tint = heights.line * (lines - bool(split)) + heights.bar * bool(split)
        group.append(_rect("tint", Box(box.x + 0.5, top, box.width - 1, tint + bool(lines)), 4 * bool(split)))
        group.append(_bar(bar, square=bool(split)))
        group.append(_text("heading", look[2], bar.middle, bar.bottom - 6))
        below = look[3:-1]
        if split:
            beside, *below = below
            group.append(_text("words", beside, (bar.right + box.right) / 2, bar.bottom - 6))
        for number, line in enumerate(below, 1):
            group.append(_text("words", line, box.middle, bar.bottom - 3.5 + number * heights.line))
        group.append(_text("rest", look[-1], box.middle, box.bottom - heights.foot - 3.5))
        group.extend(self._row(entry, self.layout.columns[table.column], now[entry.key]) for entry in table.entries)
        return group

    def _row(self, entry: Entry, column: metrics.Column, look: Appearance) -> ET.Element:
        group, box = _group(entry.key, look), self.layout.rows[entry.key]
        places = metrics.TEXT.places if metrics.is_text(entry) else column.places
        ET.SubElement(group, "title").text = look[1]
        group.append(_rect("back", Box(box.x + 0.5, box.y, box.width - 1, box.height)))
        ET.SubElement(group, "path", {"class": "rule", "d": f"M{box.x + 0.5:.1f},{box.y:.1f} h{box.width - 1:.1f}"})
        for name, x, text in zip(("index", "sign", "flags", "target"), places, look[2:], strict=True):
            group.append(_text(name, text, box.x + x, box.y + box.height / 2 + 3.5))
        return group


def data_url(svg: str) -> str:
    """Return a drawing as a ``data:`` URL of an image, for places where bare SVG doesn't work."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"


# The appearance of each element in a scene


def appearances(stage: Scene, columns: dict[int, Column], scene: Scene) -> dict[str, Appearance]:
    """Return the appearance of every element of the stage. Raises InputError if an element of the scene isn't on it."""
    check(scene)
    tables = {table.key: table for table in scene.tables}
    there = edges_of(scene)
    found = {}
    names = {}
    for table in stage.tables:
        now = tables.pop(table.key, None)
        found[table.key] = _table(table, now, columns[table.column].width - 2 * metrics.PAD)
        names[table.key] = _name(now or table)
        entries = {entry.key: entry for entry in now.entries} if now else {}
        for entry in table.entries:
            row = entries.pop(entry.key, None)
            found[entry.key] = _row(row, columns[table.column])
            names[entry.key] = f"entry {plain((row or entry).index)} of {names[table.key]}"
        _check_empty(entries)
    _check_empty(tables)
    for key, edge in edges_of(stage).items():
        found[key] = _edge(edge, names) if there.pop(key, None) else [f"edge {edge.kind} absent", ""]
    _check_empty(there)
    return found


def _check_empty(things: Sized) -> None:
    if things:
        raise InputError("scene", things, "only elements that are also on the stage")


def _name(table: Table) -> str:
    return plain(" ".join([table.title, *table.words[:1]]), 120)


def _table(table: Table, now: Table | None, room: float) -> Appearance:
    if now is None:
        return [f"table {table.kind} absent", *[""] * (len(table.words) + 3)]
    says = ", ".join([now.title, *now.words, *([now.rest] if now.rest else [])])
    words = [metrics.cut(line, room) for line in (*now.words, *[""] * len(table.words))[: len(table.words)]]
    return [
        f"table {table.kind} {now.mark}".rstrip(),
        plain(says, 1000),
        metrics.cut(now.title, room, metrics.TITLE_SIZE, bold=True),
        *words,
        metrics.cut(now.rest, room),
    ]


def edge_name(edge: Edge, names: Mapping[str, str]) -> str:
    """Return the name of an edge, given those of all tables and rows: "the arrow: #248:457 leads to gfn 0x29a5"."""
    source = Key(edge.source)
    return f"the arrow: {_leads(edge, names[source.table if source.row == 'rmap' else source], names[edge.target])}"


def _leads(edge: Edge, source: str, target: str) -> str:
    """Return what an edge states about its ends, given their names."""
    stored = edge.kind in ("rmap", "parent") and Key(edge.source).kind in (DESCRIPTOR, CHAIN)
    return (REFERS if stored else LEADS[edge.kind]).format(source, target)


def _row(now: Entry | None, column: Column) -> Appearance:
    if now is None:
        return ["row absent", "", "", "", "", ""]
    texts, room = metrics.cells(now), (0, metrics.WIDEST, 0) if metrics.is_text(now) else column[:3]
    index, flags, target = (plain(text, most) for text, most in zip(texts, room, strict=True))
    return [f"row {now.mark}".rstrip(), plain(now.says or " ".join(texts), 1000), index, SIGNS[now.mark], flags, target]


def _edge(edge: Edge, names: dict[str, str]) -> Appearance:
    source = Key(edge.source)
    return [f"edge {edge.kind}", _leads(edge, names[source.table if source.row == "rmap" else source], names[edge.target])]


# Elements


def _group(key: str, look: Appearance) -> ET.Element:
    return ET.Element("g", {"data-key": key, "class": look[0]})


def _rect(name: str, box: Box, radius: float = 0) -> ET.Element:
    place = {"x": f"{box.x:.1f}", "y": f"{box.y:.1f}", "width": f"{box.width:.1f}", "height": f"{box.height:.1f}"}
    return ET.Element("rect", {"class": name, **place, **({"rx": f"{radius:g}"} if radius else {})})


def _bar(box: Box, square: bool) -> ET.Element:
    """Return the bar behind a table's title: round corners at the top, square ones below, and at the right if ``square``."""
    left, down = f"M{box.x:.1f},{box.bottom:.1f} v-{box.height - 4:.0f} a4,4 0 0 1 4,-4", box.height - 4 * (not square)
    corner = f"h{box.width - 4:.1f}" if square else f"h{box.width - 8:.1f} a4,4 0 0 1 4,4"
    return ET.Element("path", {"class": "bar", "d": f"{left} {corner} v{down:.0f} z"})


def _text(name: str, text: str, x: float, y: float) -> ET.Element:
    element = ET.Element("text", {"class": name, "x": f"{x:.1f}", "y": f"{y:.1f}"})
    element.text = text
    return element


def _style(rules: str) -> ET.Element:
    style = ET.Element("style")
    style.text = rules
    return style


def _set_size(root: ET.Element, width: float, height: float) -> None:
    root.set("viewBox", f"0 0 {width:.1f} {height:.1f}")
    root.set("width", f"{width:.1f}")
    root.set("height", f"{height:.1f}")
    for stage in root.iter("rect"):
        if stage.get("class") == "stage":
            stage.set("height", f"{height:.1f}")


# What an image does without


_ROUND = re.compile(r"(?<=[\d])\.0(?=[^\d])(?![^<>]*<)")
"""The decimals of a round number in a tag."""

_RULE = re.compile(r"\s*([^{}]+?)\s*\{\s*([^{}]*?);?\s*\}")

SEEN = {"back": {"changed", "dead", "new"}, "second": {"new", "dead"}}
"""Parts that are visible only in a row or table with one of these marks."""


def _remove_unseen(parent: ET.Element) -> None:
    """Remove titles, keys, and the elements that are invisible or empty in this scene."""
    marks = set(parent.get("class", "").split())
    parent.attrib.pop("data-key", None)
    for child in list(parent):
        classes = set(child.get("class", "").split())
        (name,) = classes & SEEN.keys() or {""}
        unseen = {"row", "absent"} <= classes or {"edge", "absent"} <= classes or (name and not SEEN[name] & marks)
        if child.tag == "title" or unseen or (child.tag == "text" and not len(child) and not child.text):
            parent.remove(child)
        else:
            _remove_unseen(child)


def _rules_for(classes: set[str], style: str) -> str:
    """Return the style rules that apply to elements with some of these classes, without unneeded spaces."""
    found = []
    for selectors, rule in _RULE.findall(style):
        used = [one for one in selectors.split(", ") if set(re.findall(r"\.([\w-]+)", one)) <= classes]
        if used:
            found.append(f"{','.join(used)}{{{rule}}}".replace(" > ", ">").replace(": ", ":").replace("; ", ";"))
    return "".join(found)


# Below a standalone picture


def legend_of(scene: Scene) -> str:
    """Return the line that explains the marks of a scene; empty if there are none."""
    marks = {(entry or table).mark for table, entry in scene.marked()}
    return " · ".join(f"{DRAWN.get(mark, SIGNS[mark])} {meaning}" for mark, meaning in MEANINGS.items() if mark in marks)


def notes_height(texts: Iterable[str], width: float) -> float:
    """Return the height of the lines of text below a drawing."""
    return _below(texts, width, 0)[1]


def _below(texts: Iterable[str], width: float, top: float) -> tuple[list[ET.Element], float]:
    lines = [line for text in texts for line in metrics.wrap(text, width - 2 * LEFT) or [""]]
    found = []
    for number, line in enumerate(lines, 1):
        place = {"class": "note", "x": str(LEFT), "y": f"{top + number * metrics.LINE - 1:.1f}"}
        found.append(ET.Element("text", place))
        found[-1].text = line
    return found, top + len(lines) * metrics.LINE + 5 * bool(lines)
