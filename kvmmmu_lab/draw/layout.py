# SPDX-License-Identifier: GPL-2.0-only
"""The position of every element of a stage. Graphviz places the tables and routes the edges; `svg` draws them.

Graphviz is given the size of every table (see `dot.skeleton`). Edges inside a column, boxes around tables, and labels beside
edges are placed here: renderers differ in how they do that, and some push tables apart.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from . import metrics
from .dot import skeleton, stacks
from .geometry import Box, Line, Point, arrow, detour, dots, height_at, path, points, straight, through
from .metrics import Column, Heights
from .render import render
from .scene import Edge, Scene, Table, check, edges_of, keys_of
from .theme import BOXES

ROOM = 803
"""Desired width of all columns in pixels: the width of a notebook in a window of 1,024 pixels, less the margins."""

LEAST_GAP, LARGEST_GAP = 18, 46
"""Minimum and maximum gap between two columns, in pixels."""

NUDGES = (-2, 2)
"""How far edges that lead across columns between guest tables and shadow pages are moved, in pixels: else two are one line."""

MOST_LINES = 2
"""Maximum number of lines of the description in the title of a box, if a shorter one is known."""

READ_ONLY = "read only"
LABEL = metrics.text_width(READ_ONLY)

MARGIN, INNER, APART, HEADING = 5, 6, 8, 19
"""Pixels around everything, inside the boxes, and between the boxes; height of a box's title."""

LABEL_GAP = LABEL + INNER + 6
"""Desired width of a gap with labels: the frame of a box runs in it, too."""

_SVG = "{http://www.w3.org/2000/svg}"


@dataclass(frozen=True)
class Layout:
    """Positions in pixels: ``tables`` and ``rows`` by key, ``edges`` by `edge_key`, ``boxes`` by kind.

    ``titles``: the lines of the title of each box. ``columns``: the widths of tables and of their cells.
    ``heights``, ``beside``: see `Plan`.
    """

    tables: dict[str, Box]
    rows: dict[str, Box]
    edges: dict[str, Line]
    boxes: dict[str, Box]
    titles: dict[str, list[str]]
    columns: dict[int, Column]
    width: float
    height: float
    heights: Heights
    beside: dict[str, float]


def layout(stage: Scene) -> Layout:
    """Lay out a stage. Raises `RenderError` if no renderer can do it, InputError for a scene that can't be drawn."""
    check(stage)
    plan = make_plan(stage)
    titles = {kind: title(plan, kind) for kind in BOXES if stage.of(kind)}
    heights = {kind: HEADING + metrics.LINE * (len(words) - 1) for kind, words in titles.items()}
    across = [key for key, edge in plan.edges.items() if not plan.inside(edge) and not plan.aside(edge)]
    above = {kind: height + INNER + APART for kind, height in heights.items()}
    source = skeleton(stage, plan.columns, plan.gap, above, [plan.edges[key] for key in across])
    groups = {group.get("id", ""): group for group in ET.fromstring(render(source)).iter(f"{_SVG}g")}
    drawn = {key: _points(groups.get(f"e{number}")) for number, key in enumerate(across)}
    tables, moves = _tables(plan, groups)
    return finished(plan, titles, tables, drawn, moves)


def finished(
    plan: Plan,
    titles: dict[str, list[str]],
    tables: dict[str, Box],
    drawn: Mapping[str, list[Point]] | None = None,
    moves: Mapping[int, float] | None = None,
) -> Layout:
    """Return the layout with these tables: rows, edges and boxes follow from their places.

    ``drawn``: curves of edges between columns, whose heights are kept; ``moves``: how far each column moved since then.
    """
    stage = plan.stage
    rows = {entry.key: plan.row(tables[table.key], table, k) for table in stage.tables for k, entry in enumerate(table.entries)}
    curves = {
        key: _edge_between_columns(plan, edge, (drawn or {}).get(key, []), tables, rows, moves or {})
        for key, edge in plan.edges.items()
        if not plan.inside(edge)
    }
    inside = _edges_inside_columns(plan, tables, rows)
    curves |= inside
    boxes = _boxes(plan, titles, tables, inside)
    return _at_origin(plan, Layout(tables, rows, {}, boxes, titles, plan.columns, 0, 0, plan.heights, plan.beside), curves)


@dataclass(frozen=True)
class Plan:
    """Decisions made before Graphviz places anything: the widths of columns and the gaps between them."""

    stage: Scene
    columns: dict[int, Column]
    edges: dict[str, Edge]
    owner: dict[str, Table]
    wide: frozenset[int]
    """Columns that need room for labels of the edges that lead to them."""
    gap: float
    extra: float
    """The gap between columns, and the additional gap before a column in ``wide``, in pixels."""
    heights: Heights = metrics.USUAL
    beside: dict[str, float] = field(default_factory=dict)
    """The tables whose first line is beside the title, with the width of the title's part."""
    abreast: bool = False
    """Whether guest tables and shadow tables are beside each other."""

    def row(self, box: Box, table: Table, number: int) -> Box:
        """Return the place of a row in its table."""
        top = metrics.rows_top(table, self.heights, table.key in self.beside)
        return Box(box.x, box.y + top + number * self.heights.row, box.width, self.heights.row)

    def inside(self, edge: Edge) -> bool:
        """Return whether the edge stays inside a column. The kit routes such edges, since renderers route them differently."""
        if edge.kind == "shadows" and not self.abreast:
            return True
        return self.owner[edge.source].column == self.owner[edge.target].column

    def aside(self, edge: Edge) -> bool:
        """Return whether the edge leads from a guest table to a shadow page in another column. It pushes no tables apart."""
        ends = self.owner[edge.source].kind, self.owner[edge.target].kind
        return edge.kind == "link" and ends == ("guest", "shadow")

    def leftmost_first(self, edge: Edge) -> tuple[str, str]:
        """Return the two ends of an edge between columns, the left one first."""
        backward = self.owner[edge.source].column < self.owner[edge.target].column
        return (edge.target, edge.source) if backward else (edge.source, edge.target)


def make_plan(
    stage: Scene,
    width: float = ROOM,
    columns: dict[int, Column] | None = None,
    heights: Heights = metrics.USUAL,
    beside: dict[str, float] | None = None,
    abreast: bool = False,
    least: float = LEAST_GAP,
) -> Plan:
    """Choose gaps so that all columns fit ``width`` pixels, if possible. ``columns``: their widths, if known.

    ``least``: the minimum gap.
    """
    columns, edges = columns or metrics.columns(stage), edges_of(stage)
    owner = {key: table for table in stage.tables for key in keys_of(table)}
    wide = frozenset(
        owner[edge.target].column
        for edge in edges.values()
        if edge.kind == "readonly" and owner[edge.source].column > owner[edge.target].column
    )
    gaps, free = max(len(columns) - 1, 1), width - sum(column.width for column in columns.values())
    # The gap before a column with labels is LABEL_GAP if the other gaps stay wide enough for an arrow.
    gap = (free - len(wide) * LABEL_GAP) / max(gaps - len(wide), 1)
    gap = min(max(gap, least), LARGEST_GAP)
    extra = min(LABEL_GAP - gap, (free - gaps * gap) / len(wide)) if wide else 0
    return Plan(stage, columns, edges, owner, wide, gap, max(extra, 0), heights, beside or {}, abreast)


def title_room(plan: Plan, kind: str) -> float:
    """Return the room for the title of a box, in pixels. Boxes below one another have the same width."""
    banded = [table.column for table in plan.stage.tables if table.kind in ({kind} if plan.abreast else BOXES)]
    between = [column for column in plan.columns if min(banded, default=0) <= column <= max(banded, default=-1)]
    return sum(plan.columns[column].width for column in between) + plan.gap * (len(between) - 1) - 4


def title(plan: Plan, kind: str) -> list[str]:
    """Return the lines of a box's title: its name and description on one line, or the description below the name.

    Above a narrow box the description ends at its semicolon: the title would be higher than the table below it.
    """
    room = title_room(plan, kind)
    name, words = plan.stage.box_titles[kind]
    if not words:
        return [name]
    if metrics.text_width(name, bold=True) + metrics.text_width(f" ({words})") <= room:
        return [f"{name} ({words})"]
    lines = metrics.wrap(f"({words})", room)
    return [name, *(lines if len(lines) <= MOST_LINES else metrics.wrap(f"({words.partition(';')[0]})", room))]


def _tables(plan: Plan, groups: dict[str, ET.Element]) -> tuple[dict[str, Box], dict[int, float]]:
    """Return the position of each table after gaps are widened, and the distance by which each column moved."""
    moves, moved = {}, 0.0
    for column in plan.columns:
        moved += plan.extra if column in plan.wide else 0
        moves[column] = moved
    found = {}
    for number, table in enumerate(plan.stage.tables):
        shape = groups[f"t{number}"].find(f"{_SVG}polygon")
        corners = [tuple(map(float, p.split(","))) for p in shape.get("points", "").split()] if shape is not None else []
        left, top = min(x for x, _ in corners) + moves[table.column], min(y for _, y in corners)
        found[table.key] = Box(left, top, plan.columns[table.column].width, metrics.height(table, plan.heights))
    return found, moves


def _top_part(box: Box, height: float) -> Box:
    return box._replace(height=min(height, box.height))


def _points(group: ET.Element | None) -> list[Point]:
    """Return the curve of an edge as the renderer routed it; an empty list if the renderer silently dropped the edge."""
    path = group.find(f"{_SVG}path") if group is not None else None
    return points(path.get("d", "")) if path is not None else []


def _edge_between_columns(
    plan: Plan, edge: Edge, drawn: list[Point], tables: dict[str, Box], rows: dict[str, Box], moves: Mapping[int, float]
) -> list[Point]:
    """Return an edge between columns, from its source to its target.

    The renderer chooses the height at which it crosses the columns in between. The curve itself is computed here, because
    renderers make loops in narrow gaps.
    """
    first, last = plan.leftmost_first(edge)
    left, right = (rows.get(key) or _top_part(tables[key], plan.heights.bar) for key in (first, last))
    # An edge that goes left starts below the table's title, since edges that lead to the table end at the title.
    below = min(plan.heights.bar, tables[last].height - plan.heights.bar) if last == edge.source and last in tables else 0
    start, end = (left.right, left.y + left.height / 2), (right.x, right.y + right.height / 2 + below)
    bars: list[tuple[float, float, float]] = []
    for column in plan.columns:
        if plan.owner[first].column > column > plan.owner[last].column:
            boxes = [tables[table.key] for table in plan.stage.tables if table.column == column]
            x = boxes[0].middle
            y = height_at(drawn, x - moves.get(column, 0))
            if y is None:
                y = start[1] + (end[1] - start[1]) * (x - start[0]) / (end[0] - start[0])
            bars.append((boxes[0].x, boxes[0].right, _free_height(y, boxes, bars[-1][2] if bars else start[1])))
    if plan.aside(edge):
        every = [one for one in plan.edges.values() if plan.aside(one)]
        bars = [(left_, right_, y + NUDGES[every.index(edge) % len(NUDGES)]) for left_, right_, y in bars]
    curve = through(start, bars, end)
    return curve if first == edge.source else curve[::-1]


def _free_height(y: float, boxes: list[Box], before: float) -> float:
    """Return the height nearest to ``y`` at which a line can pass these tables; ``before`` if it is free and close to ``y``."""
    ways = [y, *(box.y - 6 for box in boxes), *(box.bottom + 6 for box in boxes), before]
    free = [way for way in ways if not any(box.y - 5 < way < box.bottom + 5 for box in boxes)]
    return before if before in free and abs(before - y) < 24 else min(free, key=lambda way: abs(way - y))


def _edges_inside_columns(plan: Plan, tables: dict[str, Box], rows: dict[str, Box]) -> dict[str, list[Point]]:
    """Return the curves of the edges inside columns: straight to the next table, or around the tables in between."""
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
        # At a table, the edge starts or ends beside the first line below the title.
        start, end = (rows.get(name) or _top_part(tables[name], 2 * (plan.heights.bar + 7)) for name in (source, target))
        x = min(start.x, end.x) - 6 - bends % 3 * 3.5
        bends += 1
        found[key] = detour((start.x, start.y + start.height / 2), (end.x, end.y + end.height / 2), x)
    return found


def _boxes(plan: Plan, titles: dict[str, list[str]], tables: dict[str, Box], curves: dict[str, list[Point]]) -> dict[str, Box]:
    """Return the boxes around guest tables and shadow tables. Below one another, they have the same width even if the numbers
    of levels differ."""
    inside = {kind: [tables[table.key] for table in plan.stage.of(kind)] for kind in titles}
    everything = [box for kind in inside for box in inside[kind]]
    if not everything:
        return {}
    found = {}
    for kind, boxes in inside.items():
        wide = boxes if plan.abreast else everything
        left, right = min(box.x for box in wide), max(box.right for box in wide)
        # Edges inside the first column may run to the left of its tables.
        left = min([left, *(x for curve in curves.values() for x, _ in curve if left - 20 < x < left)]) - INNER
        top, bottom = min(box.y for box in boxes), max(box.bottom for box in boxes)
        top -= HEADING + metrics.LINE * (len(titles[kind]) - 1)
        found[kind] = Box(left, top, right + INNER - left, bottom + INNER - top)
    return found


def _at_origin(plan: Plan, done: Layout, curves: dict[str, list[Point]]) -> Layout:
    """Return the layout, shifted so that it starts at the margin, with all edges, arrowheads and labels."""
    everything = [*done.tables.values(), *done.boxes.values()]
    corners = [point for box in everything for point in ((box.x, box.y), (box.right, box.bottom))]
    corners += [point for curve in curves.values() for point in curve]
    left, top = (min((point[k] for point in corners), default=0) - MARGIN for k in (0, 1))
    width, height = (max((point[k] for point in corners), default=1) + MARGIN for k in (0, 1))

    def shifted(boxes: dict[str, Box]) -> dict[str, Box]:
        return {key: box._replace(x=box.x - left, y=box.y - top) for key, box in boxes.items()}

    tables, boxes = shifted(done.tables), shifted(done.boxes)
    curves = {key: [(x - left, y - top) for x, y in curve] for key, curve in curves.items()}
    lines = [point for curve in curves.values() for point in dots(curve)]
    around = _Surroundings(list(tables.values()), list(boxes.values()), lines)
    edges, labelled = {}, set[str]()
    for key, curve in curves.items():
        kind, target = plan.edges[key].kind, plan.edges[key].target
        edges[key] = Line(path(curve)) if kind == "shadows" else arrow(curve)
        if kind == "readonly" and target not in labelled:
            # one label for all that lead to the same frame: a dashed line says it, too
            edges[key] = edges[key]._replace(label=around.label(curve))
            labelled.add(target)
    rows = shifted(done.rows)
    return replace(done, tables=tables, rows=rows, edges=edges, boxes=boxes, width=width - left, height=height - top)


class _Surroundings:
    """What a label beside an edge must not cover (tables and other labels) or should not (boxes' sides and lines)."""

    def __init__(self, tables: list[Box], boxes: list[Box], line: list[Point]) -> None:
        self.taken, self.boxes, self.line = tables, boxes, line

    def label(self, curve: list[Point]) -> Point | None:
        """Return the right end of the label "read only", at the tip of an arrow or at its start; None if there is no room."""
        (x, y), (first, start) = curve[-1], curve[0]
        tops = (y + 4, y - 17) if start < y else (y - 17, y + 4)
        places = [Box(x - before - LABEL + 2, top, LABEL - 2, 13) for before in (4, 1) for top in tops]
        places += [Box(first + INNER + 2, start + (4 if start > y else -17), LABEL - 2, 13)]
        free = [box for box in places if box.x > 0 and not any(map(box.meets, self.taken))]
        if not free:
            return None
        chosen = min(free, key=self.covers)
        self.taken = [*self.taken, chosen]
        return chosen.right, chosen.y + 10

    def covers(self, place: Box) -> int:
        """Return how much of lines and sides of boxes a label would cover."""
        lines = sum(place.x < x < place.right and place.y + 1 < y < place.bottom - 1 for x, y in self.line)
        return lines + 4 * sum(place.meets(Box(box.right - 1, box.y, 2, box.height)) for box in self.boxes)
