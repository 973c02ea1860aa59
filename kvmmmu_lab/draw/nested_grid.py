# SPDX-License-Identifier: GPL-2.0-only
"""The picture of a nested walk: a grid with a cell for each entry that the processor reads, numbered in the order of reading.

A column belongs to a table of the guest, and the last one to the data. The lower cells of a column are the walk of the host's
tables, which translates the address of the guest's table; the cell on top is the guest's entry, which is read then.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from ..inspect.keys import Key
from ..inspect.names import LEVELS
from ..nested.nested_walk import DATA, GUEST_ENTRY, EntryRead, NestedWalk
from .scene import Edge, Entry, Scene, Table

FIVE = {**LEVELS, 5: "PML5"}
"""The names of the guest's tables, by level."""

GUEST_BOX = ("guest", "Guest tables", "the guest writes them, and the processor reads them: no shadow")
HOST_BOX = ("shadow", "Host tables", "")
"""The title of the lower box is as wide as its first column, since arrows cross the line of the title beside it."""
HOST_NOTE = "host tables: one walk for each column translates its gfn"
FRAME_BOX = ("frame", "Frame", "with the data")


def table_key(column: int, row: int) -> Key:
    """Return the key of the box of a column: of the guest's table, or of the host's walk."""
    return Key(f"n:{'g' if row == GUEST_ENTRY else 'h'}{column}")


def cell_key(reference: EntryRead) -> Key:
    """Return the key of the cell of a reference."""
    return table_key(reference.column, reference.row).entry(reference.number)


def nested_grid_scene(walk: NestedWalk, upto: int | None = None, marked: Iterable[int] = ()) -> Scene:
    """Return the grid of a walk up to a reference (None: all). ``marked``: the numbers of the references of this step.

    Cells that are not read yet, and tables whose address is not known yet, are left out. The frame of the data appears with the
    last reference.
    """
    last = len(walk.references) if upto is None else upto
    done, new = walk.references[:last], set(marked)
    reached = walk.references[min(last, len(walk.references) - 1)].column
    tables = [table for column in range(walk.guest_levels, reached - 1, -1) for table in _column(walk, column, done, new)]
    edges = [_edge(one, then) for one, then in pairwise(done) if one.column != then.column or then.row == 0]
    finished = last == len(walk.references) and walk.hfn is not None
    if finished:
        mark = "new" if len(walk.references) in new else ""
        words = (f"hfn {walk.hfn:#x}" if walk.host_levels else "the data",)
        frame = Table("n:data", "frame", DATA, 0, f"frame gfn {walk.gfns[DATA]:#x}", words, mark=mark)
        tables.append(frame)
        edges.append(Edge(cell_key(done[-1]), frame.key, "shadow" if walk.host_levels else "guest"))
    count = len(walk.references)
    title = f"A walk with {walk.guest_levels} levels in the guest and {walk.host_levels} in the host: {count} references"
    if not walk.host_levels:
        title = f"A walk with {walk.guest_levels} levels and no host: {count} references"
    notes = [HOST_NOTE] * bool(walk.host_levels) + [f"{last} of {count} references"] * (last < count)
    path = tuple(cell_key(reference) for reference in done)
    return Scene(title, tuple(tables), tuple(edges), tuple(notes), path, (GUEST_BOX, HOST_BOX, FRAME_BOX))


def _column(walk: NestedWalk, column: int, done: Iterable[EntryRead], new: set[int]) -> list[Table]:
    """Return the boxes of a column: the guest's table, and below it the host's walk for its address."""
    cells = {reference.row: _cell(reference, new) for reference in done if reference.column == column}
    own = cells.pop(GUEST_ENTRY, None)
    gfn = walk.gfns.get(column)
    name = FIVE.get(column, "data")
    found = []
    if column != DATA:
        found.append(Table(table_key(column, GUEST_ENTRY), "guest", column, 0, name, (f"gfn {gfn:#x}",), (own,) if own else ()))
    if walk.host_levels:
        host = tuple(cells[row] for row in sorted(cells, reverse=True))
        words = (f"gfn {gfn:#x}",)
        found.append(Table(table_key(column, 1), "shadow", column, 0, f"for the {name}", words, host))
    return found


def _cell(reference: EntryRead, new: set[int]) -> Entry:
    target = "missing" if reference.target is None else f"{reference.target:#x}"
    if reference.row == GUEST_ENTRY:
        level, shown, says = "", f"gfn {target}", f"the guest's entry {reference.index}"
    else:
        level, shown, says = f"L{reference.row}", target, f"entry {reference.index} of the host's level {reference.row}"
    mark = "changed" if reference.number in new else ""
    return Entry(
        cell_key(reference), str(reference.number), level, shown, mark, f"reference {reference.number}: {says}, {target}"
    )


def _edge(one: EntryRead, then: EntryRead) -> Edge:
    """Return the arrow from the end of a host's walk up to the guest's entry, or from there to the next column."""
    if then.row == GUEST_ENTRY and one.column == then.column:
        return Edge(cell_key(one), cell_key(then), "link")
    target = cell_key(then) if then.row == GUEST_ENTRY else table_key(then.column, then.row)
    return Edge(cell_key(one), target, "guest")
