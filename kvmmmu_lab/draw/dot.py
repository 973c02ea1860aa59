# SPDX-License-Identifier: GPL-2.0-only
"""From a scene to DOT: columns by level, guest tables above, the pages that shadow them below, frames at the right.

A scene may be drawn on a *stage*, the union of many scenes: what the stage has and the scene has not keeps its
place as a faint outline, so that nothing moves from one scene to the next.

Order is forced, not left to the layout: invisible edges run down each column. Between guest and shadow tables, and
above both, each column has an invisible separator; heavy edges keep the separators of a row level, so that the two
kinds never mix. `overlay` puts boxes and titles there.
"""

from __future__ import annotations

from itertools import pairwise
from math import ceil

from . import theme
from .scene import Edge, Entry, Scene, Table
from .theme import TONES, label

CHARACTER = 0.6 * theme.ENTRY_SIZE
"""Width of a character of a row, in points."""

PADDING = 1
"""Points on each side of it."""

ROOM, LEAST_GAP, LARGEST_GAP = 600, 12, 44
"""Points for all columns, if possible: what a notebook has in a window of 1024 pixels. Points between two columns."""

SEPARATORS = {"guest": 10, "shadow": 28}
"""Points above the tables of each kind, for the title of their box."""

EDGES = {
    "guest": f'color="{TONES["guest"].ink}"',
    "shadow": f'color="{TONES["shadow"].ink}"',
    "readonly": f'color="{TONES["shadow"].ink}", style=dashed',
    "rmap": f'color="{theme.RMAP}", style=dashed, dir=back',
}

Widths = tuple[int, int, int, int, int]
"""Points for index, sign, flags and target of a row, and for a title."""


def to_dot(scene: Scene, prefix: str = "k", stage: Scene | None = None) -> str:
    """The scene as DOT source. ``prefix`` begins every id; letters and digits only, another for each drawing on a page."""
    stage = stage or scene
    widths = _widths(stage)
    shown = set(scene.edges)
    lines = [
        "digraph {",
        f'rankdir=LR; nodesep=0.16; ranksep={_gap(widths)}; splines=spline; bgcolor="{theme.PAPER}"; pad=0.12;',
        f'node [fontname="{theme.SANS}", shape=plain];',
        "edge [arrowsize=0.55, penwidth=1.1];",
        *(_node(table, scene.table(table.key), widths[table.column], prefix) for table in stage.tables),
        *_columns(stage),
        *(_edge(edge, edge in shown, prefix) for edge in stage.edges if edge.kind in EDGES),
        "}",
    ]
    return "\n".join(lines)


def element_id(prefix: str, key: str) -> str:
    """Id of the element that draws what has this key. Rows get theirs from the renderer with "a_" before it."""
    return f"{prefix}-{key.replace(':', '-')}"


def columns(stage: Scene) -> dict[int, list[Table]]:
    """The tables of each level, from top to bottom: guest tables mirrored, so that the first path's meet in the middle."""
    found: dict[int, list[Table]] = {}
    for table in [*reversed(stage.of("guest")), *stage.of("shadow"), *stage.of("frame")]:
        found.setdefault(table.column, []).append(table)
    return dict(sorted(found.items(), reverse=True))


def _widths(stage: Scene) -> dict[int, Widths]:
    """Of each column: all its tables are equally wide, in each of its scenes, also where they are outlines."""
    rows: dict[int, list[tuple[str, str, str]]] = {table.column: [("", "", "")] for table in stage.tables}
    titles = dict.fromkeys(rows, 0.0)
    for table in stage.tables:
        rows[table.column] += [(entry.index, entry.flags, _target(entry)) for entry in table.entries]
        # Of a proportional face, the mean width of a character is over half its size; bold ones are wider.
        lines = [
            0.76 * theme.TITLE_SIZE * len(table.title),
            *(0.56 * theme.WORDS_SIZE * len(line) for line in table.words),
        ]
        titles[table.column] = max(titles[table.column], *lines)

    def points(cells: tuple[str, ...]) -> int:
        return ceil(max(map(len, cells)) * CHARACTER + 2 * PADDING)

    found = {}
    for column, texts in rows.items():
        index, flags, target = (points(cells) for cells in zip(*texts, strict=True))
        found[column] = (index, points((">",)), flags, target, ceil(titles[column]) + 6)
    return found


def _gap(widths: dict[int, Widths]) -> float:
    """Inches between columns: as much as there is, but enough for an arrow, and no more than looks good."""
    tables = sum(max(sum(points[:4]) + 2 * PADDING, points[4]) + 2 for points in widths.values())
    return round(min(max((ROOM - tables) / max(len(widths) - 1, 1), LEAST_GAP), LARGEST_GAP) / 72, 3)


def _target(entry: Entry) -> str:
    """In a drawing there is little room: a bare number is a gfn."""
    return entry.target.removeprefix("gfn ")


def _node(table: Table, now: Table | None, widths: Widths, prefix: str) -> str:
    """One table. ``table`` is how it stands on the stage, ``now`` how it is in the scene, None if it isn't there."""
    tone = TONES[table.kind]
    there = {entry.key: entry for entry in now.entries} if now else {}
    rows = [_row(entry, there.get(entry.key), widths, prefix) for entry in table.entries]
    if table.rest:
        rows.append(_line(now.rest if now else "", theme.QUIET, ""))
    if now is None:
        border, head, title = f'COLOR="{theme.GHOST}" STYLE="DASHED"', "", _text("", theme.TITLE_SIZE, theme.GHOST)
    else:
        border, head = f'COLOR="{tone.ink}"', f'BGCOLOR="{tone.ink}"'
        title = _text(now.title, theme.TITLE_SIZE, theme.PAPER, "bold", now.mark)
    lines = [*now.words, *[""] * (len(table.words) - len(now.words))] if now else [""] * len(table.words)
    words = [_line(line, theme.TEXT, f'BGCOLOR="{tone.tint}"' if now else "") for line in lines]
    html = (
        f'<TABLE BORDER="1" {border} CELLBORDER="0" CELLSPACING="0" CELLPADDING="0" BGCOLOR="{theme.PAPER}">'
        f'<TR><TD PORT="h" {head} WIDTH="{widths[4]}" CELLPADDING="3">{title}</TD></TR>{"".join(words)}{"".join(rows)}</TABLE>'
    )
    classes = " ".join([table.kind, now.mark if now else "absent"]).strip()
    return f'"{table.key}" [id="{element_id(prefix, table.key)}", class="{classes}", label=<{html}>];'


def _row(entry: Entry, now: Entry | None, widths: Widths, prefix: str) -> str:
    mark = now.mark if now else ""
    loud = mark in ("changed", "dead")
    paper = theme.CHANGED if loud else theme.PAPER
    texts = (now.index, ">" if mark == "read" else "", now.flags, _target(now)) if now else ("", "", "", "")
    colours = (theme.TEXT if mark else theme.QUIET, theme.TEXT, theme.TEXT, theme.TEXT)
    cells = "".join(
        f'<TD WIDTH="{width}" ALIGN="{align}">'
        f"{_text(text, theme.ENTRY_SIZE, colour, 'bold' if loud else '', mark, theme.MONO)}</TD>"
        for text, width, colour, align in zip(
            texts, widths[:4], colours, ("RIGHT", "CENTER", "LEFT", "LEFT"), strict=True
        )
    )
    # Only a cell with a link gets an id from every renderer; `overlay` takes the link itself out again.
    tip = f'ID="{element_id(prefix, entry.key)}" HREF="#" TITLE="{label(now.says)}"' if now else ""
    return (
        f'<TR><TD PORT="{_port(entry.key)}" {tip} BGCOLOR="{paper}" BORDER="1" SIDES="T" COLOR="{theme.RULE}" CELLPADDING="1">'
        f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="{PADDING}"><TR>{cells}</TR></TABLE></TD></TR>'
    )


def _line(text: str, colour: str, attributes: str) -> str:
    return f'<TR><TD {attributes} CELLPADDING="2">{_text(text, theme.WORDS_SIZE, colour)}</TD></TR>'


def _text(text: str, size: float, colour: str, weight: str = "", mark: str = "", face: str = "") -> str:
    words = label(text) if text.strip() else "&#160;"
    if mark == "dead" and text.strip():
        words = f"<S>{words}</S>"
    if weight:
        words = f"<B>{words}</B>"
    face = f' FACE="{face}"' if face else ""
    return f'<FONT{face} POINT-SIZE="{size}" COLOR="{colour}">{words}</FONT>'


def _columns(stage: Scene) -> list[str]:
    """What holds tables in place: columns, their inner order, separators, and the order of the columns."""
    lines, firsts = [], []
    rows: dict[str, list[str]] = {}
    for column, tables in columns(stage).items():
        names: list[str] = []
        for kind, height in SEPARATORS.items() if column else ():
            if not stage.of(kind):
                continue
            separator = f'"{kind}{column}"'
            lines.append(f'{separator} [label="", width=0.01, height={height / 72:.2f}, shape=box, style=invis];')
            rows.setdefault(kind, []).append(separator)
            names += [separator, *(f'"{table.key}"' for table in tables if table.kind == kind)]
        names += [f'"{table.key}"' for table in tables if table.kind == "frame"]
        lines.append(f"{{rank=same; {'; '.join(names)}}}")
        lines += [f"{above} -> {below} [style=invis];" for above, below in pairwise(names)]
        firsts.append(names[0])
    for row in rows.values():
        lines += [f"{left} -> {right} [style=invis, weight=1000];" for left, right in pairwise(row)]
    return lines + [f"{left} -> {right} [style=invis, weight=0];" for left, right in pairwise(firsts)]


def _edge(edge: Edge, shown: bool, prefix: str) -> str:
    """An edge; along a reverse map it is drawn from the entry, backwards, so that it doesn't go round the tables."""
    if edge.kind == "rmap":
        ends = f"{_at(edge.target)}:e -> {_at(edge.source)}:w"
    else:
        ends = f'{_at(edge.source)}:e -> "{edge.target}":h:w'
    name = element_id(prefix, f"{edge.kind}-{edge.source}-{edge.target}")
    return f'{ends} [id="{name}", class="{edge.kind}", {EDGES[edge.kind] if shown else "style=invis"}];'


def _at(entry: str) -> str:
    return f'"{entry.rpartition(":")[0]}":"{_port(entry)}"'


def _port(entry: str) -> str:
    return f"e{entry.rpartition(':')[2]}"
