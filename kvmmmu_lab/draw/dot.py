# SPDX-License-Identifier: GPL-2.0-only
"""Scenes in the DOT language: `to_dot` returns a complete drawing for any Graphviz, `skeleton` empty boxes for `layout`.

Both functions arrange tables in the same way. Each level has a column, with guest tables above the pages that shadow them
and all other tables below both; frames are in the rightmost column. Invisible edges down each column force the order of
its tables. Each column has a separator node above each *band* (guest, shadow, the rest). Edges with a large weight keep the
separators of a band at the same height, so that bands never mix. (Clusters would be simpler, but ``dot`` doesn't keep the
order inside a cluster.)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import pairwise

from . import metrics
from .metrics import Column
from .scene import Edge, Entry, Scene, Table, check, edges_of
from .text import LEGEND
from .theme import BOXES, KINDS, SIGNS, TONES, colours, plain

BETWEEN = 12
"""Pixels between the tables of a column."""

MONO = "Courier New"
"""Font of rows. Every renderer knows its metrics, unlike those of other fixed-width fonts."""

ASCII = {"·": "-", "→": "->", "–": "-", "×": "x", "\N{NO-BREAK SPACE}": " "}
"""Replacements for characters in the kit's labels. Not all renderers know the widths of characters beyond ASCII."""

LINES = {
    "guest": ("guest", "solid"),
    "shadow": ("shadow", "solid"),
    "readonly": ("shadow", "dashed"),
    "shadows": ("quiet", "dotted"),
    "rmap": ("rmap", "dashed"),
    "parent": ("rmap", "dotted"),
    "link": ("list", "solid"),
}
"""The colour and style of each kind of edge."""

WRAP = 700
"""Maximum width of a line of notes, in pixels."""

MARKED = ("changed", "dead", "new")
"""Marks of rows that have a coloured background."""


def to_dot(scene: Scene) -> str:
    """Return a scene as one graph with all labels, colours, edges and marks, ready to be drawn by ``dot -Tsvg``.

    Each table is a node, named after its key ("s:248"), with an HTML-like label. The port of its title is ``h``. Each row
    has a port at either end: those of the first row are ``r0w`` at the left and ``r0e`` at the right. Changed rows are
    yellow and bold, new tables have a double border, and removed tables and rows are struck through. The text is ASCII.
    Raises InputError for a scene that can't be drawn.
    """
    check(scene)
    colour, names = colours(), _names(scene)
    lines = [
        "digraph {",
        f'graph [rankdir=LR, nodesep=0.2, ranksep=0.5, splines=spline, bgcolor="{colour["stage"]}", '
        f'fontname="Helvetica", labelloc=t, label=<{_heading(scene)}>];',
        'node [shape=plain, fontname="Helvetica"];',
        'edge [fontname="Helvetica", fontsize=11, arrowsize=0.6, penwidth=1.2];',
        *(f"{names[table.key]} [label=<{_table(table)}>];" for table in scene.tables),
        *_columns(scene, names, _band_title(scene)),
        *_edges(scene, names),
        "}",
    ]
    return "\n".join(lines) + "\n"


def skeleton(stage: Scene, columns: dict[int, Column], gap: float, above: dict[str, int], edges: Iterable[Edge]) -> str:
    """Return a stage as a graph of empty boxes of fixed size. One pixel is one point in Graphviz.

    Tables are named t0, t1, ... in the order of the stage, edges have the ids e0, e1, ... ``gap``: pixels between columns;
    ``above``: pixels between the tables of each band and those of the band above. ``edges`` lead from one column to another.
    """
    names = {table.key: f"t{number}" for number, table in enumerate(stage.tables)}
    ports = _ports(stage, names)

    def separator(kind: str, column: int, topmost: bool) -> str:
        # the separator already has BETWEEN pixels above and below it
        height = 1 if topmost else max(above.get(kind, 0) - 2 * BETWEEN, 1)
        return f'label="", width=0.01, height={height / 72:.3f}, shape=box, style=invis'

    def ends(edge: Edge) -> str:
        (from_column, left), (to_column, right) = ports[edge.source], ports[edge.target]
        if from_column < to_column:
            # An edge that goes left starts below the table's title, since edges that lead to the table end at the title.
            left, right = right, left.replace(":h", ":w")
        return f"{left}:e -> {right}:w"

    lines = [
        "digraph {",
        f"rankdir=LR; nodesep={BETWEEN / 72:.4f}; ranksep={gap / 72:.4f}; splines=spline; pad=0;",
        "node [shape=plain]; edge [dir=none];",
        *(_box(table, names[table.key], columns[table.column].width) for table in stage.tables),
        *_columns(stage, names, separator),
        *(f'{ends(edge)} [id="e{number}"];' for number, edge in enumerate(edges)),
        "}",
    ]
    return "\n".join(lines)


# Columns and bands


def stacks(scene: Scene) -> dict[int, list[Table]]:
    """Return the tables of each column, from top to bottom: sorted by kind, then by rank."""
    found: dict[int, list[Table]] = {}
    for kind in KINDS:
        for table in scene.of(kind):
            found.setdefault(table.column, []).append(table)
    return dict(sorted(found.items(), reverse=True))


def _columns(scene: Scene, names: dict[str, str], separator: Callable[[str, int, bool], str]) -> list[str]:
    """Return the statements that fix where tables are: the columns and their order, the tables in each, the separators.

    ``separator(kind, column, topmost)`` returns the attributes of the separator above a band.
    """
    lines, firsts = [], []
    levels: dict[str, list[str]] = {}
    inside = _banded(scene)
    bands = [kind for kind in KINDS[:3] if any(_band(table) == kind and table.column in inside for table in scene.tables)]
    for column, tables in stacks(scene).items():
        stack: list[str] = []
        for kind in bands if column in inside else ():
            name = f"{kind}{column}".replace("-", "m")
            lines.append(f"{name} [{separator(kind, column, not stack)}];")
            levels.setdefault(kind, []).append(name)
            stack += [name, *(names[table.key] for table in tables if _band(table) == kind)]
        stack = stack or [names[table.key] for table in tables]
        lines.append(f"{{rank=same; {'; '.join(stack)}}}")
        lines += [f"{above} -> {below} [style=invis];" for above, below in pairwise(stack)]
        firsts.append(stack[0])
    for level in levels.values():
        lines += [f"{left} -> {right} [style=invis, weight=1000];" for left, right in pairwise(level)]
    return lines + [f"{left} -> {right} [style=invis, weight=0];" for left, right in pairwise(firsts)]


def _banded(scene: Scene) -> range:
    """Return the range of columns from the first to the last one with guest tables or shadow pages."""
    columns = [table.column for table in scene.tables if table.kind in BOXES]
    return range(min(columns, default=0), max(columns, default=-1) + 1)


def _band(table: Table) -> str:
    return table.kind if table.kind in BOXES else "frame"


# The complete drawing


def _names(scene: Scene) -> dict[str, str]:
    """Return the node name of each table: its key in quotes, or a number if its key has unusual characters."""
    usual = re.compile(r"[\w:.-]+", re.ASCII)
    tables = enumerate(scene.tables)
    return {table.key: f'"{table.key}"' if usual.fullmatch(table.key) else f"t{number}" for number, table in tables}


def _heading(scene: Scene) -> str:
    """Return the label of the graph: title, notes, and the legend of the marks."""
    colour = colours()
    notes = [line for note in scene.notes for line in metrics.wrap(note, WRAP)]
    notes += [LEGEND] if scene.marked() else []
    title = _text(scene.title, colour["text"], metrics.TITLE_SIZE + 2, bold=True)
    return "<BR/>".join([title, *(_text(line, colour["quiet"]) for line in notes)])


def _band_title(scene: Scene) -> Callable[[str, int, bool], str]:
    """Return `separator` for `_columns` in a complete drawing: it puts the name of a band above its leftmost column."""
    leftmost = {kind: max((table.column for table in scene.of(kind)), default=None) for kind in BOXES}
    widths = metrics.columns(scene)

    def separator(kind: str, column: int, topmost: bool) -> str:
        if leftmost.get(kind) != column:
            return 'label="", width=0.01, height=0.01, shape=box, style=invis'
        (name, words), colour = scene.box_titles[kind], colours()[kind]
        lines = [_text(name, colour, metrics.TITLE_SIZE, bold=True)]
        lines += [_text(line, colour) for line in metrics.wrap(f"({words})", widths[column].width)] if words else []
        rows = "".join(f'<TR><TD ALIGN="LEFT">{line}</TD></TR>' for line in lines)
        return f'label=<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="1">{rows}</TABLE>>'

    return separator


def _table(table: Table) -> str:
    colour, tone, dead = colours(), TONES.get(table.kind, table.kind), table.mark == "dead"
    sign = f"{SIGNS[table.mark]} " if table.mark else ""
    title = _text(sign + table.title, colour["on-bar"], metrics.TITLE_SIZE, bold=True, strike=dead)
    rows = [f'<TR><TD PORT="h" COLSPAN="4" BGCOLOR="{colour[tone]}">{title}</TD></TR>']
    if table.words:
        changed = table.mark == "changed"
        behind, ink = ("changed", "on-changed") if changed else (f"{tone}-tint", "text")
        words = "<BR/>".join(_text(line, colour[ink], bold=changed, strike=dead) for line in table.words)
        rows.append(f'<TR><TD COLSPAN="4" BGCOLOR="{colour[behind]}">{words}</TD></TR>')
    rows += [_row(entry, number) for number, entry in enumerate(table.entries)]
    if table.rest:
        rows.append(f'<TR><TD COLSPAN="4">{_text(table.rest, colour["quiet"])}</TD></TR>')
    border = f'COLOR="{colour[tone]}"' + ' STYLE="DASHED"' * dead
    inner = (
        f'<TABLE BORDER="1" CELLBORDER="0" CELLSPACING="0" CELLPADDING="2" BGCOLOR="{colour["paper"]}" {border}>'
        f"{''.join(rows)}</TABLE>"
    )
    if table.mark not in ("new", "dead"):
        return inner
    return f'<TABLE BORDER="1" CELLBORDER="0" CELLSPACING="0" CELLPADDING="2" {border}><TR><TD>{inner}</TD></TR></TABLE>'


def _row(entry: Entry, number: int) -> str:
    """Return a row of four cells: index, sign of the mark, flags, target."""
    colour, bold, strike = colours(), entry.mark in MARKED, entry.mark == "dead"
    behind, ink = ("changed", "on-changed") if bold else ("paper", "text")
    read = entry.mark == "read"
    index, flags, target = metrics.cells(entry)
    cells = [
        (f'PORT="r{number}w" ALIGN="RIGHT"', _mono(index, ink if bold or read else "quiet", bold or read, strike)),
        ('ALIGN="CENTER"', _mono(SIGNS[entry.mark], ink, True)),
        ('ALIGN="LEFT"', _mono(flags, ink, bold, strike)),
        (f'PORT="r{number}e" ALIGN="LEFT"', _mono(target, ink, bold, strike)),
    ]
    look = f'BORDER="1" SIDES="T" COLOR="{colour["rule"]}" BGCOLOR="{colour[behind]}"'
    return f"<TR>{''.join(f'<TD {attributes} {look}>{text}</TD>' for attributes, text in cells)}</TR>"


def _mono(text: str, ink: str, bold: bool, strike: bool = False) -> str:
    return _text(text, colours()[ink], face=MONO, bold=bold, strike=strike)


def _text(text: str, colour: str, size: int = metrics.SIZE, face: str = "", bold: bool = False, strike: bool = False) -> str:
    """Return text for an HTML-like label, escaped and in ASCII."""
    words = "".join(map(_escaped, plain(text, 200)))
    if not words:
        return ""
    for tag in ("S",) * strike + ("B",) * bold:
        words = f"<{tag}>{words}</{tag}>"
    return f'<FONT COLOR="{colour}" POINT-SIZE="{size}"' + f' FACE="{face}"' * bool(face) + f">{words}</FONT>"


def _escaped(character: str) -> str:
    """Return a character escaped for a label: XML's special ones as numbers, and a backslash doubled."""
    known = ASCII.get(character, character)
    if known == "\\":
        return "&#92;&#92;"
    return "".join(f"&#{ord(letter)};" if letter in '<>&"' or not letter.isascii() else letter for letter in known)


def _edges(scene: Scene, names: dict[str, str]) -> list[str]:
    """Return all edges of the scene, written from left to right: Graphviz routes others around the tables."""
    colour, found = colours(), []
    left, right = (_ports(scene, names, side) for side in "we")
    for edge in edges_of(scene).values():
        (from_column, _), (to_column, _) = left[edge.source], left[edge.target]
        name, style = LINES[edge.kind]
        look = [f'color="{colour[name]}"', f"style={style}"]
        if from_column > to_column:
            ends = f"{right[edge.source][1]}:e -> {left[edge.target][1]}:w"
        elif from_column < to_column:
            ends = f"{right[edge.target][1]}:e -> {left[edge.source][1]}:w"
            look.append("dir=back")
        else:
            ends = f"{left[edge.source][1]}:w -> {left[edge.target][1]}:w"
            look.append("constraint=false")
        if edge.kind == "shadows":
            look.append("dir=none")
        if edge.kind == "readonly":
            look.append(f"label=<{_text('read only', colour[name])}>")
        found.append(f"{ends} [{', '.join(look)}];")
    return found


# Ports of tables and rows, and empty boxes


def _ports(scene: Scene, names: dict[str, str], side: str = "") -> dict[str, tuple[int, str]]:
    """Return the column and the port of each table and row, by key. ``side``: "w" or "e" if rows have a port at each end."""
    found: dict[str, tuple[int, str]] = {}
    for table in scene.tables:
        name = names[table.key]
        found[table.key] = table.column, f"{name}:h"
        found |= {entry.key: (table.column, f"{name}:r{number}{side}") for number, entry in enumerate(table.entries)}
    return found


def _box(table: Table, name: str, width: int) -> str:
    """Return an empty box of a table's size, with ports: ``h`` title, ``w`` lines, ``r0``, ``r1``, ... rows."""
    heights = [("h", metrics.BAR)]
    # The port w exists even if there are no lines below the title.
    heights.append(("w", max(metrics.rows_top(table) - metrics.BAR, 1)))
    heights += [(f"r{number}", metrics.USUAL.row) for number in range(len(table.entries))]
    below = metrics.height(table) - sum(height for _, height in heights)
    cells = "".join(
        f'<TR><TD PORT="{port}" FIXEDSIZE="TRUE" WIDTH="{width}" HEIGHT="{height}"></TD></TR>'
        for port, height in [*heights, ("b", below)]
    )
    look = 'BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0" BGCOLOR="white"'
    return f'{name} [id="{name}", label=<<TABLE {look}>{cells}</TABLE>>];'
