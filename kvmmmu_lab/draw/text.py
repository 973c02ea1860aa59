# SPDX-License-Identifier: GPL-2.0-only
"""A scene as text, with the flags and the order of the picture, for terminals and for readers who can't see images."""

from __future__ import annotations

from .scene import Entry, Scene, Table
from .theme import BOXES, KINDS, MEANINGS, SIGNS, plain

BLOCKS = {
    **BOXES,
    "frame": ("Frames", "guest memory, with reverse maps"),
    "rmap": ("Back references", "kept as lists of shadow entries"),
    "stored": ("Stored to", "a table in guest memory"),
    "list": ("Lists", ""),
}
"""The title of the block for each kind of table, and a description that follows in brackets."""

LONGEST = 160
"""Maximum length of a line, in characters."""

LEAST = {"guest": (4, 9), "shadow": (4, 9), "frame": (4, 9)}
"""Minimum widths of index and flags, in characters, so that tables below one another line up."""

LEGEND = "   ".join(f"{SIGNS[mark]} {meaning}" for mark, meaning in MEANINGS.items())


def to_text(scene: Scene) -> str:
    """Return the scene as lines of text: a block for each kind of table, and in it the rows of each table."""
    lines = [scene.title]
    kinds = [kind for kind in KINDS if scene.of(kind)]
    for kind in kinds:
        title, words = scene.box_titles.get(kind) or BLOCKS[kind]
        if len(kinds) > 1 or kind != "list":
            lines += ["", f"{title} ({words})" if words else title]
        lines += [line for table in scene.of(kind) for line in _table(table)]
    if scene.marked():
        lines += ["", LEGEND]
    lines += ["", *scene.notes] if scene.notes else []
    return "\n".join(plain(line.rstrip(), LONGEST) for line in lines)


def _sign(mark: str) -> str:
    return SIGNS.get(mark, "") or " "


def _table(table: Table) -> list[str]:
    head = f" {_sign(table.mark)}┌ {', '.join([table.title, *table.words]).replace(':, ', ': ')}"
    least = LEAST.get(table.kind, (2, 0))
    index = max([least[0], *(len(entry.index) for entry in table.entries)])
    flags = max([least[1], *(len(entry.flags) for entry in table.entries)])
    body = [f"  │ {_row(entry, index, flags)}" for entry in table.entries]
    if table.rest:
        body.append(f"  │ {' ' * index}  {table.rest}")
    if body:
        body[-1] = body[-1].replace("│", "└", 1)
    return [head, *body]


def _row(entry: Entry, index: int, flags: int) -> str:
    cells = [entry.index.rjust(index), entry.flags.ljust(flags), entry.target]
    return _sign(entry.mark) + " ".join(cell for cell in cells if cell)


def alternative(scene: Scene) -> str:
    """Return a description for readers who can't see the picture."""
    parts = []
    for kind in KINDS:
        names = [f"{table.title} ({', '.join(table.words)})".replace(":, ", ": ") for table in scene.of(kind)]
        if names:
            title, _ = scene.box_titles.get(kind) or BLOCKS[kind]
            parts.append(f"{title.lower()}: {', '.join(names)}")
    marked = [
        f"entry {entry.index} of {table.title} {entry.mark}" if entry else f"{table.title} {table.mark}"
        for table, entry in scene.marked()
    ]
    parts += [f"in this step: {'; '.join(marked)}"] if marked else []
    return plain(". ".join([scene.title, *parts]) + ".", 20 * LONGEST)
