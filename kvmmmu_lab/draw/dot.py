# SPDX-License-Identifier: GPL-2.0-only
"""From a scene to DOT, for the layout only: tables are empty boxes of fixed size, a pixel is a point.

Columns by level, guest tables above, the pages that shadow them below, anything else under both; frames at the
right. Order is forced, not left to the renderer: invisible edges run down each column. Above each *band* (guest,
shadow, the rest) each column has an invisible separator; heavy edges keep the separators of a band level, so that
bands never mix. That leaves room for the titles of their boxes, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from . import metrics
from .metrics import Column
from .scene import Edge, Scene, Table
from .theme import BOXES, KINDS

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
