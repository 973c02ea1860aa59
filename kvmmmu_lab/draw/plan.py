# SPDX-License-Identifier: GPL-2.0-only
"""What is decided about a stage before anything has a place: how wide columns are, and how far apart."""

from __future__ import annotations

from dataclasses import dataclass

from . import metrics
from .keys import edges_of, keys_of
from .metrics import Column
from .scene import Edge, Scene, Table
from .theme import BOXES

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
