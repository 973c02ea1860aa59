# SPDX-License-Identifier: GPL-2.0-only
"""What changes from scene to scene: by key, the class of each element and its texts."""

from __future__ import annotations

from collections.abc import Sized

from ..errors import InputError
from . import metrics
from .keys import check, edges_of
from .metrics import Column
from .scene import Edge, Entry, Scene, Table
from .theme import SIGNS, plain

Look = list[str]
"""The class attribute, then the contents of the element's own title and text children."""

LEADS = {
    "guest": "{0} leads to {1}",
    "shadow": "{0} leads to {1}",
    "readonly": "{0} leads to {1}, for reading only",
    "shadows": "{0} is shadowed by {1}",
    "rmap": "{0} can be written through {1}",
    "parent": "{0} is linked from {1}",
    "link": "{0} is followed by {1}",
}
"""What an edge of each kind says."""


def looks(stage: Scene, columns: dict[int, Column], scene: Scene) -> dict[str, Look]:
    """The look of everything that the stage has. Raises InputError if the scene has something else."""
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
        _nothing_left(entries)
    _nothing_left(tables)
    for key, edge in edges_of(stage).items():
        found[key] = _edge(edge, names) if there.pop(key, None) else [f"edge {edge.kind} absent", ""]
    _nothing_left(there)
    return found


def _nothing_left(things: Sized) -> None:
    if things:
        raise InputError("scene", things, "only what the stage has, too")


def _name(table: Table) -> str:
    return plain(" ".join([table.title, *table.words[:1]]), 120)


def _table(table: Table, now: Table | None, room: float) -> Look:
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


def _row(now: Entry | None, column: Column) -> Look:
    if now is None:
        return ["row absent", "", "", "", "", ""]
    texts = metrics.cells(now)
    index, flags, target = (plain(text, most) for text, most in zip(texts, column[:3], strict=True))
    return [f"row {now.mark}".rstrip(), plain(now.says or " ".join(texts), 1000), index, SIGNS[now.mark], flags, target]


def _edge(edge: Edge, names: dict[str, str]) -> Look:
    return [f"edge {edge.kind}", LEADS[edge.kind].format(names[edge.source], names[edge.target])]
