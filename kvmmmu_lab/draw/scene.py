# SPDX-License-Identifier: GPL-2.0-only
"""A scene: what a picture shows of a VM at one moment, as plain data, independent of how it is drawn.

Everything has a key (see `kvmmmu_lab.inspect.keys`) that is the same in all scenes, so that scenes can be compared,
merged and drawn on one stage. *Marks* show what happened at the moment: an entry is "changed", "read" or "dead", a table
"new" or "dead".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from ..errors import InputError
from ..inspect.keys import Key
from .theme import EDGES, KINDS, SIGNS, plain


@dataclass(frozen=True)
class Entry:
    """One row of a table. ``flags`` are letters in fixed places; ``says`` explains the entry in words."""

    key: str
    index: str
    flags: str
    target: str
    mark: str = ""
    says: str = ""

    @property
    def order(self) -> int:
        """Position of the row in its table."""
        row = Key(self.key).row
        return int(row) if row.isdigit() else 0


@dataclass(frozen=True)
class Table:
    """One box of rows. ``kind``: "guest" (table), "shadow" (page), "frame", "rmap" (descriptor) or "list" (anything else).

    ``column`` counts from the right: 0 for frames, the level for page tables. ``rank`` is the order within a column: the
    position, in the list of addresses, of the first address whose path passes through the table.

    ``words`` are the lines under the title. ``rest`` summarizes what isn't drawn: "37 more, 473 empty".
    """

    key: str
    kind: str
    column: int
    rank: int
    title: str
    words: tuple[str, ...] = ()
    entries: tuple[Entry, ...] = ()
    rest: str = ""
    mark: str = ""


@dataclass(frozen=True)
class Edge:
    """An arrow. Each end is given by the key of an entry, or by the key of a table, which stands for its title.

    ``kind``: "guest" and "shadow" lead from an entry to its target, "readonly" to a target that it may not write;
    "shadows" leads from a guest table to the page that shadows it; "rmap" from a frame or descriptor back to an entry;
    "parent" from a shadow page back to an entry above it; "link" to the next member of a list.
    """

    source: str
    target: str
    kind: str


@dataclass(frozen=True)
class Scene:
    """Tables and edges of one moment. ``title`` states what the picture shows, ``notes`` what it leaves out."""

    title: str
    tables: tuple[Table, ...]
    edges: tuple[Edge, ...]
    notes: tuple[str, ...] = ()

    def of(self, kind: str) -> list[Table]:
        """Return the tables of one kind: column by column, starting at the root, and from top to bottom."""
        return sorted((table for table in self.tables if table.kind == kind), key=lambda t: (-t.column, t.rank))

    def table(self, key: str) -> Table | None:
        """Return the table with this key, or None."""
        return next((table for table in self.tables if table.key == key), None)

    def entry(self, key: str) -> Entry | None:
        """Return the entry with this key, or None."""
        return next((entry for table in self.tables for entry in table.entries if entry.key == key), None)

    def marked(self) -> list[tuple[Table, Entry | None]]:
        """Return the marked tables, each with None, and the marked entries, each with its table."""
        found: list[tuple[Table, Entry | None]] = []
        for table in self.tables:
            found += [(table, None)] * bool(table.mark)
            found += [(table, entry) for entry in table.entries if entry.mark]
        return found


@dataclass
class Marks:
    """The marks of one moment: ``of`` maps a key to its mark, ``was`` the key of a changed entry to its old value."""

    of: dict[str, str] = field(default_factory=dict)
    was: dict[str, int] = field(default_factory=dict)

    def note(self, key: str, mark: str) -> None:
        """Mark ``key``. "read" doesn't replace another mark."""
        if mark != "read" or key not in self.of:
            self.of[key] = mark


def union(scenes: Sequence[Scene]) -> Scene:
    """Return the stage of these scenes: one scene with all their elements, so that nothing moves when the scene changes."""
    tables: dict[str, Table] = {}
    edges: dict[Edge, None] = {}
    for scene in scenes:
        edges |= dict.fromkeys(scene.edges)
        for table in scene.tables:
            known = tables.get(table.key)
            tables[table.key] = table if known is None else _merged(known, table)
    ordered = sorted(tables.values(), key=lambda t: (t.kind, -t.column, t.rank))
    title = scenes[0].title if scenes else ""
    return Scene(title, tuple(ordered), tuple(edges), tuple(dict.fromkeys(n for scene in scenes for n in scene.notes)))


def _merged(one: Table, other: Table) -> Table:
    entries = rows(sorted((*one.entries, *other.entries), key=lambda entry: len(entry.flags + entry.target)))
    words = max(one.words, other.words, key=lambda lines: (len(lines), sum(map(len, lines))))
    return replace(one, entries=entries, words=words, rank=min(one.rank, other.rank), rest=max(one.rest, other.rest, key=len))


def rows(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Return entries sorted by their position in the table. If a key occurs several times, only its last entry is kept."""
    return tuple(sorted({entry.key: entry for entry in entries}.values(), key=lambda entry: entry.order))


def edge_key(edge: Edge) -> str:
    """Return the key of an edge in a drawing, such as "shadow|s:248:457|f:29a5"."""
    return f"{edge.kind}|{edge.source}|{edge.target}"


def keys_of(table: Table) -> list[str]:
    """Return the keys of a table and of its rows."""
    return [table.key, *(entry.key for entry in table.entries)]


def edges_of(scene: Scene) -> dict[str, Edge]:
    """Return the edges of a scene by their keys, without those whose source or target isn't in the scene."""
    known = {key for table in scene.tables for key in keys_of(table)}
    return {edge_key(edge): edge for edge in scene.edges if edge.source in known and edge.target in known}


def check(scene: Scene) -> None:
    """Raise InputError if the scene has an unknown kind or mark, or a key that is unusable or occurs twice."""
    for edge in scene.edges:
        _check_known("kind of an edge", edge.kind, EDGES)
    for table in scene.tables:
        _check_known("kind of a table", table.kind, KINDS)
        for key, mark in [(table.key, table.mark), *((entry.key, entry.mark) for entry in table.entries)]:
            _check_known(f"mark of {key}", mark, tuple(SIGNS))
    for key, times in Counter(key for table in scene.tables for key in keys_of(table)).items():
        if plain(key, 200) != key:
            raise InputError("key", key, "a short key without control characters")
        if times > 1:
            raise InputError("scene", key, "each key once")


def _check_known(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InputError(name, value, f"one of {', '.join(map(repr, known))}")
