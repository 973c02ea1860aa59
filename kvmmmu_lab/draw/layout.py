# SPDX-License-Identifier: GPL-2.0-only
"""Where everything of a stage stands: Graphviz lays out, `svg` draws.

It is told the size of every table and decides where tables stand and how edges run. Lines inside a column, boxes, and
words beside edges are placed here: renderers differ in how they do that, and some push tables apart.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from math import hypot
from typing import NamedTuple

from . import metrics
from .metrics import Column
from .render import render
from .scene import Edge, Scene, Table, check, edges_of, keys_of
from .theme import BOXES, KINDS

# FOLDED IN: draw.lines: Curves: as a renderer wrote them, with a head of our own, or made by us where it must not
# meddle.


Point = tuple[float, float]

HEAD, HALF = 7.0, 2.9
"""Length of an arrowhead, and half its width, in pixels."""


class Box(NamedTuple):
    """A rectangle in pixels; y grows downwards."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """Its right side."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """Its lower side."""
        return self.y + self.height

    @property
    def middle(self) -> float:
        """Half way between left and right."""
        return self.x + self.width / 2

    def meets(self, other: Box) -> bool:
        """Whether the two have a point in common."""
        return self.x < other.right and other.x < self.right and self.y < other.bottom and other.y < self.bottom


class Line(NamedTuple):
    """How an edge is drawn: ``d`` of its line and of its head ("" for none), both for an SVG path; where its words end."""

    d: str
    head: str = ""
    label: Point | None = None


def points(d: str) -> list[Point]:
    """The points of one curve of an SVG path: its start, then three for each piece."""
    numbers = [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", d)]
    found = list(zip(numbers[::2], numbers[1::2], strict=True))
    return found if len(found) >= 4 and len(found) % 3 == 1 else []


def curve(start: Point, end: Point) -> list[Point]:
    """From the right of something to the left of something else, in one piece that begins and ends level."""
    bend = 0.6 * abs(end[0] - start[0])
    return [start, (start[0] + bend, start[1]), (end[0] - bend, end[1]), end]


def arrow(line: list[Point]) -> Line:
    """The line with a head at its end, which takes the place of the line's last pixels."""
    tip = line[-1]
    before = next((point for point in reversed(line) if hypot(tip[0] - point[0], tip[1] - point[1]) > 1), line[0])
    length = hypot(tip[0] - before[0], tip[1] - before[1]) or 1.0
    across, down = (tip[0] - before[0]) / length, (tip[1] - before[1]) / length
    base = tip[0] - HEAD * across, tip[1] - HEAD * down
    wings = [(base[0] - side * HALF * down, base[1] + side * HALF * across) for side in (1, -1)]
    handle = base if length < HEAD or before != line[-2] else before
    return Line(path([*line[:-2], handle, base]), f"M{_xy(tip)} L{_xy(wings[0])} L{_xy(wings[1])} Z")


def path(line: list[Point]) -> str:
    """The line as ``d`` of an SVG path."""
    return f"M{_xy(line[0])} C{' '.join(map(_xy, line[1:]))}"


def height_at(line: list[Point], x: float) -> float | None:
    """Where a curve first reaches x, coming from the left: y there. None if it never does."""
    for k in range(0, len(line) - 3, 3):
        for part in (n / 16 for n in range(17)):
            weights = ((1 - part) ** 3, 3 * part * (1 - part) ** 2, 3 * part**2 * (1 - part), part**3)
            if sum(weight * point[0] for weight, point in zip(weights, line[k : k + 4], strict=True)) >= x:
                return sum(weight * point[1] for weight, point in zip(weights, line[k : k + 4], strict=True))
    return None


def through(start: Point, bars: list[tuple[float, float, float]], end: Point) -> list[Point]:
    """From start to end, level at each of ``bars`` (left, right, y), in soft curves between them."""
    found, at = [start], start
    for left, right, y in bars:
        found += [*curve(at, (left, y))[1:], *straight((left, y), (right, y))[1:]]
        at = (right, y)
    return [*found, *curve(at, end)[1:]]


def straight(start: Point, end: Point) -> list[Point]:
    """A straight line, as a curve."""
    thirds = [(start[0] + (end[0] - start[0]) * k / 3, start[1] + (end[1] - start[1]) * k / 3) for k in (1, 2)]
    return [start, *thirds, end]


def detour(start: Point, end: Point, x: float) -> list[Point]:
    """From the left side of something to the left side of something else, along a vertical line at ``x``."""
    turn = min(12.0, abs(end[1] - start[1]) / 2) * (1 if end[1] >= start[1] else -1)
    high, low = (x, start[1] + turn), (x, end[1] - turn)
    return [start, (x, start[1]), (x, start[1]), high, *straight(high, low)[1:], (x, end[1]), (x, end[1]), end]


def _xy(point: Point) -> str:
    return f"{point[0]:.1f},{point[1]:.1f}"


# FOLDED IN: draw.dot: From a scene to DOT, for the layout only: tables are empty boxes of fixed size, a pixel is a
# point.
#
# Columns by level, guest tables above, the pages that shadow them below, anything else under both; frames at the
# right. Order is forced, not left to the renderer: invisible edges run down each column. Above each *band* (guest,
# shadow, the rest) each column has an invisible separator; heavy edges keep the separators of a band level, so that
# bands never mix. That leaves room for the titles of their boxes, too.


BETWEEN = 12
"""Pixels between what stands in a column."""


def to_dot(stage: Scene, columns: dict[int, Column], gap: float, above: dict[str, int], edges: Iterable[Edge]) -> str:
    """The stage as DOT. Tables are named t0, t1, ... in its order, edges get the ids e0, e1, ...

    ``gap``: pixels between columns; ``above``: pixels between the tables of each band and those of the band above. Only
    edges from one column to another may be among ``edges``.
    """
    names = {table.key: f"t{number}" for number, table in enumerate(stage.tables)}
    ports = Ports(stage, names)
    lines = [
        "digraph {",
        f"rankdir=LR; nodesep={BETWEEN / 72:.4f}; ranksep={gap / 72:.4f}; splines=spline; pad=0;",
        "node [shape=plain]; edge [dir=none];",
        *(_node(table, names[table.key], columns[table.column].width) for table in stage.tables),
        *_columns(stage, names, above),
        *(f'{ports.between(edge)} [id="e{number}"];' for number, edge in enumerate(edges)),
        "}",
    ]
    return "\n".join(lines)


def stacks(stage: Scene) -> dict[int, list[Table]]:
    """The tables of each column, from top to bottom: kind by kind, and in each the first address's on top."""
    found: dict[int, list[Table]] = {}
    for kind in KINDS:
        for table in stage.of(kind):
            found.setdefault(table.column, []).append(table)
    return dict(sorted(found.items(), reverse=True))


class Ports:
    """Where edges begin and end: which column, and in DOT."""

    def __init__(self, stage: Scene, names: dict[str, str]) -> None:
        self.at: dict[str, tuple[int, str]] = {}
        """By key of a table or an entry: its column, and its place in DOT."""
        for table in stage.tables:
            name = names.get(table.key, "")
            self.at[table.key] = table.column, f"{name}:h"
            for number, entry in enumerate(table.entries):
                self.at[entry.key] = table.column, f"{name}:r{number}"

    def between(self, edge: Edge) -> str:
        """An edge in DOT, from the right of something to the left of something: else it would go round the tables."""
        (from_column, left), (to_column, right) = self.at[edge.source], self.at[edge.target]
        if from_column < to_column:
            # what comes back to a table from the right starts beside its words: edges to its title end above
            left, right = right, left.replace(":h", ":w")
        return f"{left}:e -> {right}:w"


def _node(table: Table, name: str, width: int) -> str:
    heights = [("h", metrics.BAR)]
    # there is a port w even where no words are
    heights.append(("w", max(metrics.rows_top(table) - metrics.BAR, 1)))
    heights += [(f"r{number}", metrics.ROW) for number in range(len(table.entries))]
    below = metrics.height(table) - sum(height for _, height in heights)
    cells = "".join(
        f'<TR><TD PORT="{port}" FIXEDSIZE="TRUE" WIDTH="{width}" HEIGHT="{height}"></TD></TR>'
        for port, height in [*heights, ("b", below)]
    )
    look = 'BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0" BGCOLOR="white"'
    return f'{name} [id="{name}", label=<<TABLE {look}>{cells}</TABLE>>];'


def _columns(stage: Scene, names: dict[str, str], above: dict[str, int]) -> list[str]:
    """What holds tables in place: columns, their inner order, separators, and the order of the columns."""
    lines, firsts = [], []
    rows: dict[str, list[str]] = {}
    banded = [table.column for table in stage.tables if table.kind in BOXES]
    inside = range(min(banded, default=0), max(banded, default=-1) + 1)
    bands = [kind for kind in KINDS[:3] if any(_band(table) == kind and table.column in inside for table in stage.tables)]
    for column, tables in stacks(stage).items():
        stack: list[str] = []
        for kind in bands if column in inside else ():
            separator = f"{kind}{column}".replace("-", "m")
            # half of the room is there anyway, on either side of the separator
            height = max(above.get(kind, 0) - 2 * BETWEEN, 1) if stack else 1
            lines.append(f'{separator} [label="", width=0.01, height={height / 72:.3f}, shape=box, style=invis];')
            rows.setdefault(kind, []).append(separator)
            stack += [separator, *(names[table.key] for table in tables if _band(table) == kind)]
        stack = stack or [names[table.key] for table in tables]
        lines.append(f"{{rank=same; {'; '.join(stack)}}}")
        lines += [f"{above} -> {below} [style=invis];" for above, below in pairwise(stack)]
        firsts.append(stack[0])
    for row in rows.values():
        lines += [f"{left} -> {right} [style=invis, weight=1000];" for left, right in pairwise(row)]
    return lines + [f"{left} -> {right} [style=invis, weight=0];" for left, right in pairwise(firsts)]


def _band(table: Table) -> str:
    return table.kind if table.kind in BOXES else "frame"


# FOLDED IN: draw.plan: What is decided about a stage before anything has a place: how wide columns are, and how far
# apart.


ROOM, LEAST_GAP, LARGEST_GAP = 803, 18, 46
"""Pixels for all columns, if possible: what a notebook has in a window of 1,024, less the margins. Between two columns."""

READ_ONLY = "read only"
LABEL = metrics.text_width(READ_ONLY)


@dataclass(frozen=True)
class Plan:
    """What is decided before anything has a place."""

    stage: Scene
    columns: dict[int, Column]
    edges: dict[str, Edge]
    owner: dict[str, Table]
    wide: frozenset[int]
    """Columns before which words stand beside edges."""
    gap: float
    extra: float
    """Pixels between columns, and before a wide one in addition."""

    def inside(self, edge: Edge) -> bool:
        """Whether the edge is drawn by us: one inside a column, where renderers do what they like."""
        return edge.kind == "shadows" or self.owner[edge.source].column == self.owner[edge.target].column

    def leftmost_first(self, edge: Edge) -> tuple[str, str]:
        """Both ends of an edge that leads from one column to another."""
        backward = self.owner[edge.source].column < self.owner[edge.target].column
        return (edge.target, edge.source) if backward else (edge.source, edge.target)


def make_plan(stage: Scene) -> Plan:
    """Widths and gaps, so that all columns fit the page if they can."""
    columns, edges = metrics.columns(stage), edges_of(stage)
    owner = {key: table for table in stage.tables for key in keys_of(table)}
    wide = frozenset(
        owner[edge.target].column
        for edge in edges.values()
        if edge.kind == "readonly" and owner[edge.source].column > owner[edge.target].column
    )
    gaps, free = max(len(columns) - 1, 1), ROOM - sum(column.width for column in columns.values())
    # A column with words before it wants LABEL + 4, if the others keep enough for an arrow
    gap = (free - len(wide) * (LABEL + 4)) / max(gaps - len(wide), 1)
    gap = min(max(gap, LEAST_GAP), LARGEST_GAP)
    extra = min(LABEL + 4 - gap, (free - gaps * gap) / len(wide)) if wide else 0
    return Plan(stage, columns, edges, owner, wide, gap, max(extra, 0))


def title(plan: Plan, kind: str) -> list[str]:
    """Lines of a box's title: its name, then what fits beside it, or all the rest below."""
    banded = [table.column for table in plan.stage.tables if table.kind in BOXES]
    between = [column for column in plan.columns if min(banded) <= column <= max(banded)]
    room = sum(plan.columns[column].width for column in between) + plan.gap * (len(between) - 1) - 4
    name, words = BOXES[kind]
    if metrics.text_width(name, bold=True) + metrics.text_width(f" ({words})") <= room:
        return [f"{name} ({words})"]
    return [name, *metrics.wrap(f"({words})", room)]


MARGIN, INNER, APART, HEADING = 5, 6, 8, 19
"""Pixels around everything, inside the boxes, between the boxes; height of a box's title."""

_SVG = "{http://www.w3.org/2000/svg}"


@dataclass(frozen=True)
class Layout:
    """``tables`` and ``rows`` by their keys, ``edges`` by `keys.edge_key`, ``boxes`` by kind; in pixels from 0.

    ``titles``: by kind, the lines of the box's title. ``columns``: how wide tables and their cells are.
    """

    tables: dict[str, Box]
    rows: dict[str, Box]
    edges: dict[str, Line]
    boxes: dict[str, Box]
    titles: dict[str, list[str]]
    columns: dict[int, Column]
    width: float
    height: float


def layout(stage: Scene) -> Layout:
    """Lay the stage out. Raises `RenderError` if no program here can, InputError for what can't be drawn at all."""
    check(stage)
    plan = make_plan(stage)
    titles = {kind: title(plan, kind) for kind in BOXES if stage.of(kind)}
    heights = {kind: HEADING + metrics.LINE * (len(words) - 1) for kind, words in titles.items()}
    across = [key for key, edge in plan.edges.items() if not plan.inside(edge)]
    above = {kind: height + INNER + APART for kind, height in heights.items()}
    source = to_dot(stage, plan.columns, plan.gap, above, [plan.edges[key] for key in across])
    groups = {group.get("id", ""): group for group in ET.fromstring(render(source)).iter(f"{_SVG}g")}
    drawn = [_points(groups.get(f"e{number}")) for number in range(len(across))]
    tables, moves = _tables(plan, groups)
    rows = {entry.key: _row(tables[table.key], table, k) for table in stage.tables for k, entry in enumerate(table.entries)}
    curves = {key: _across(plan, plan.edges[key], line, tables, rows, moves) for key, line in zip(across, drawn, strict=True)}
    inside = _inside(plan, tables, rows)
    curves |= inside
    boxes = _boxes(stage, heights, tables, inside)
    return _at_origin(plan, Layout(tables, rows, {}, boxes, titles, plan.columns, 0, 0), curves)


def _tables(plan: Plan, groups: dict[str, ET.Element]) -> tuple[dict[str, Box], dict[int, float]]:
    """Where each table stands, wide gaps made wide; and how far each column moved for that."""
    moves, moved = {}, 0.0
    for column in plan.columns:
        moved += plan.extra if column in plan.wide else 0
        moves[column] = moved
    found = {}
    for number, table in enumerate(plan.stage.tables):
        shape = groups[f"t{number}"].find(f"{_SVG}polygon")
        corners = [tuple(map(float, p.split(","))) for p in shape.get("points", "").split()] if shape is not None else []
        left, top = min(x for x, _ in corners) + moves[table.column], min(y for _, y in corners)
        found[table.key] = Box(left, top, plan.columns[table.column].width, metrics.height(table))
    return found, moves


def _upper(box: Box, height: float) -> Box:
    return box._replace(height=min(height, box.height))


def _points(group: ET.Element | None) -> list[Point]:
    """An edge as it was drawn; empty if the renderer lost it, which it may do without a word."""
    path = group.find(f"{_SVG}path") if group is not None else None
    return points(path.get("d", "")) if path is not None else []


def _row(box: Box, table: Table, number: int) -> Box:
    return Box(box.x, box.y + metrics.rows_top(table) + number * metrics.ROW, box.width, metrics.ROW)


def _across(
    plan: Plan, edge: Edge, drawn: list[Point], tables: dict[str, Box], rows: dict[str, Box], moves: dict[int, float]
) -> list[Point]:
    """An edge from one column to another, from its source to its target.

    The renderer says where it passes the columns in between. The curve is ours: in narrow gaps they make loops.
    """
    first, last = plan.leftmost_first(edge)
    left, right = (rows.get(key) or _upper(tables[key], metrics.BAR) for key in (first, last))
    # what comes back to a table from the right ends beside its words: edges to its title begin above
    below = min(metrics.BAR, tables[last].height - metrics.BAR) if last == edge.source and last in tables else 0
    start, end = (left.right, left.y + left.height / 2), (right.x, right.y + right.height / 2 + below)
    bars: list[tuple[float, float, float]] = []
    for column in plan.columns:
        if plan.owner[first].column > column > plan.owner[last].column:
            boxes = [tables[table.key] for table in plan.stage.tables if table.column == column]
            x = boxes[0].middle
            y = height_at(drawn, x - moves[column])
            if y is None:
                y = start[1] + (end[1] - start[1]) * (x - start[0]) / (end[0] - start[0])
            bars.append((boxes[0].x, boxes[0].right, _free(y, boxes, bars[-1][2] if bars else start[1])))
    curve = through(start, bars, end)
    return curve if first == edge.source else curve[::-1]


def _free(y: float, boxes: list[Box], before: float) -> float:
    """The height nearest to ``y`` at which a line passes between these tables; that where it was ``before`` will do, too."""
    ways = [y, *(box.y - 6 for box in boxes), *(box.bottom + 6 for box in boxes), before]
    free = [way for way in ways if not any(box.y - 5 < way < box.bottom + 5 for box in boxes)]
    return before if before in free and abs(before - y) < 24 else min(free, key=lambda way: abs(way - y))


def _inside(plan: Plan, tables: dict[str, Box], rows: dict[str, Box]) -> dict[str, list[Point]]:
    """The edges inside columns: straight to the next table, or round what stands between."""
    place = {table.key: number for stack in stacks(plan.stage).values() for number, table in enumerate(stack)}
    found, bends = {}, 0
    for key, edge in plan.edges.items():
        if not plan.inside(edge):
            continue
        source, target = edge.source, edge.target
        if source in tables and target in tables and abs(place[target] - place[source]) == 1:
            upper, lower = sorted((tables[source], tables[target]), key=lambda box: box.y)
            line = straight((upper.middle, upper.bottom), (lower.middle, lower.y))
            found[key] = line if lower == tables[target] else line[::-1]
            continue
        # of a table, beside its words
        start, end = (rows.get(name) or _upper(tables[name], 2 * (metrics.BAR + 7)) for name in (source, target))
        x = min(start.x, end.x) - 6 - bends % 3 * 3.5
        bends += 1
        found[key] = detour((start.x, start.y + start.height / 2), (end.x, end.y + end.height / 2), x)
    return found


def _boxes(stage: Scene, heights: dict[str, int], tables: dict[str, Box], curves: dict[str, list[Point]]) -> dict[str, Box]:
    """The boxes around guest and shadow tables, equally wide, though a guest may have fewer levels than its shadow."""
    inside = {kind: [tables[table.key] for table in stage.of(kind)] for kind in heights}
    everything = [box for kind in inside for box in inside[kind]]
    if not everything:
        return {}
    left, right = min(box.x for box in everything), max(box.right for box in everything)
    # The lines of the first column may run to the left of it
    left = min([left, *(x for curve in curves.values() for x, _ in curve if left - 20 < x < left)]) - INNER
    found = {}
    for kind, boxes in inside.items():
        top, bottom = min(box.y for box in boxes) - heights[kind], max(box.bottom for box in boxes)
        found[kind] = Box(left, top, right + INNER - left, bottom + INNER - top)
    return found


def _at_origin(plan: Plan, done: Layout, curves: dict[str, list[Point]]) -> Layout:
    """All of it moved so that it begins at the margin; edges get their heads and labels."""
    everything = [*done.tables.values(), *done.boxes.values()]
    corners = [point for box in everything for point in ((box.x, box.y), (box.right, box.bottom))]
    corners += [point for curve in curves.values() for point in curve]
    left, top = (min((point[k] for point in corners), default=0) - MARGIN for k in (0, 1))
    width, height = (max((point[k] for point in corners), default=1) + MARGIN for k in (0, 1))

    def shifted(boxes: dict[str, Box]) -> dict[str, Box]:
        return {key: box._replace(x=box.x - left, y=box.y - top) for key, box in boxes.items()}

    tables = shifted(done.tables)
    labels: list[Box] = []
    edges = {}
    for key, curve in curves.items():
        curve, kind = [(x - left, y - top) for x, y in curve], plan.edges[key].kind
        line = Line(path(curve)) if kind == "shadows" else arrow(curve)
        edges[key] = line._replace(label=_label(curve, list(tables.values()), labels)) if kind == "readonly" else line
    return Layout(tables, shifted(done.rows), edges, shifted(done.boxes), done.titles, done.columns, width - left, height - top)


def _label(curve: list[Point], tables: list[Box], labels: list[Box]) -> Point | None:
    """Where "read only" ends, beside an arrow's tip, on the side from which the arrow doesn't come; None without room."""
    (x, y), start = curve[-1], curve[0]
    tops = (y + 4, y - 17) if start[1] < y else (y - 17, y + 4)
    for box in [Box(x - before - LABEL + 2, top, LABEL - 2, 13) for before in (4, 1) for top in tops]:
        if not any(map(box.meets, [*tables, *labels])) and box.x > 0:
            labels.append(box)
            return box.right, box.y + 10
    return None
