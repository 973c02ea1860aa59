# SPDX-License-Identifier: GPL-2.0-only
"""A scene as text: the same letters in the same order as the picture, for terminals and for readers without images."""

from __future__ import annotations

from .overlay import BOXES
from .scene import Entry, Scene, Table
from .theme import plain

SIGNS = {"changed": "*", "dead": "x", "read": ">", "new": "+", "": " "}
LONGEST = 160
"""Characters of a line."""

LEGEND = "* changed   x gone   > looked at   + new"


def to_text(scene: Scene) -> str:
    """The scene in lines: a block for the guest tables, one for the shadow, one for the frames."""
    lines = [scene.title]
    for kind, (title, words) in {**BOXES, "frame": ("Frames", "guest memory, with reverse maps")}.items():
        tables = scene.of(kind)
        if tables:
            lines += ["", f"{title} ({words})"]
            lines += [line for table in tables for line in _table(table)]
    if scene.marked():
        lines += ["", LEGEND]
    lines += ["", *scene.notes] if scene.notes else []
    return "\n".join(plain(line, LONGEST) for line in lines)


def _table(table: Table) -> list[str]:
    head = f" {SIGNS[table.mark]}┌ {table.title}, {', '.join(table.words)}"
    body = [f"  │ {_row(entry)}" for entry in table.entries]
    if table.rest:
        body.append(f"  │      {table.rest}")
    if body:
        body[-1] = body[-1].replace("│", "└", 1)
    return [head, *body]


def _row(entry: Entry) -> str:
    return f"{SIGNS[entry.mark]}{entry.index:>4} {entry.flags:<9} {entry.target}"


def alternative(scene: Scene) -> str:
    """One sentence for readers who can't see the picture."""

    def names(kind: str) -> str:
        return ", ".join(f"{table.title} {' '.join(table.words)}" for table in scene.of(kind)) or "none"

    marked = [
        f"entry {entry.index} of {table.title} {entry.mark}" if entry else f"{table.title} {table.mark}"
        for table, entry in scene.marked()
    ]
    about = f" In this step: {'; '.join(marked)}." if marked else ""
    tables = f"Guest tables: {names('guest')}. Shadow tables: {names('shadow')}. Frames: {names('frame')}."
    return plain(f"{scene.title}. {tables}{about}", 20 * LONGEST)
