# SPDX-License-Identifier: GPL-2.0-only
"""A scene: what is to be seen of a VM at one moment, as plain data that knows nothing of drawing.

Everything has a key (see `kvmmmu_lab.inspect.keys`) that stays the same from scene to scene, so that scenes can be
compared, united and drawn on one stage. *Marks* say what the moment is about: an entry is "changed", "read" or "dead",
a table "new" or "dead".
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
    """One row of a table. ``says`` spells out what ``flags`` abbreviate."""

    key: str
    index: str
    flags: str
    target: str
    mark: str = ""
    says: str = ""

    @property
    def order(self) -> int:
        """Where in its table the row belongs."""
        row = Key(self.key).row
        return int(row) if row.isdigit() else 0


@dataclass(frozen=True)
class Table:
    """One box of rows. ``kind``: "guest" table, "shadow" page, memory "frame", "rmap" descriptor, or a "list" of anything.

    ``column`` counts from the right: levels of tables, 0 for frames.

    ``words`` are the lines under the title, ``rest`` says what isn't drawn ("37 more, 473 empty"). In a column, tables
    stand in the order of ``rank``: the place, in the list of addresses, of the first one whose path passes here.
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
    """An arrow. Either end is the key of an entry, or of a table, which then stands for its title.

    ``kind``: "guest" and "shadow" lead where an entry leads, "readonly" where it may not write; "shadows" from a guest
    table to the page that shadows it; "rmap" from a frame or descriptor back to an entry; "parent" from a shadow page
    back to an entry above it; "link" is the order of a list.
    """

    source: str
    target: str
    kind: str


@dataclass(frozen=True)
class Scene:
    """Tables and edges of one moment; ``title`` says what all of it is, ``notes`` what was left out."""

    title: str
    tables: tuple[Table, ...]
    edges: tuple[Edge, ...]
    notes: tuple[str, ...] = ()

    def of(self, kind: str) -> list[Table]:
        """The tables of one kind, column by column from the root, each column from top to bottom."""
        return sorted((table for table in self.tables if table.kind == kind), key=lambda t: (-t.column, t.rank))

    def table(self, key: str) -> Table | None:
        """The table with this key, if it is in the scene."""
        return next((table for table in self.tables if table.key == key), None)

    def entry(self, key: str) -> Entry | None:
        """The entry with this key, if it is in the scene."""
        return next((entry for table in self.tables for entry in table.entries if entry.key == key), None)

    def marked(self) -> list[tuple[Table, Entry | None]]:
        """What this moment is about: marked tables (with None) and marked entries with their tables."""
        found: list[tuple[Table, Entry | None]] = []
        for table in self.tables:
            found += [(table, None)] * bool(table.mark)
            found += [(table, entry) for entry in table.entries if entry.mark]
        return found


@dataclass
class Marks:
    """What happened at one moment, by key. ``was`` has the old value of each entry that is gone."""

    of: dict[str, str] = field(default_factory=dict)
    was: dict[str, int] = field(default_factory=dict)

    def note(self, key: str, mark: str) -> None:
        """Mark key, unless something stronger than "read" is noted there already."""
        if mark != "read" or key not in self.of:
            self.of[key] = mark


def union(scenes: Sequence[Scene]) -> Scene:
    """All that is in any of the scenes: the stage on which each of them can be drawn without anything moving."""
    tables: dict[str, Table] = {}
    edges: dict[Edge, None] = {}
    for scene in scenes:
        edges |= dict.fromkeys(scene.edges)
        for table in scene.tables:
            known = tables.get(table.key)
            tables[table.key] = table if known is None else _both(known, table)
    ordered = sorted(tables.values(), key=lambda t: (t.kind, -t.column, t.rank))
    title = scenes[0].title if scenes else ""
    return Scene(title, tuple(ordered), tuple(edges), tuple(dict.fromkeys(n for scene in scenes for n in scene.notes)))


def _both(one: Table, other: Table) -> Table:
    entries = rows(sorted((*one.entries, *other.entries), key=lambda entry: len(entry.flags + entry.target)))
    words = max(one.words, other.words, key=lambda lines: (len(lines), sum(map(len, lines))))
    return replace(one, entries=entries, words=words, rank=min(one.rank, other.rank), rest=max(one.rest, other.rest, key=len))


def rows(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Entries in the order of their table, each key once: the last that has it."""
    return tuple(sorted({entry.key: entry for entry in entries}.values(), key=lambda entry: entry.order))


# FOLDED IN: draw.keys: What the elements of a drawing are called, and whether a scene can be drawn at all.


def edge_key(edge: Edge) -> str:
    """What an edge is called in a drawing: "shadow|s:248:457|f:29a5". Tables and rows go by their own keys."""
    return f"{edge.kind}|{edge.source}|{edge.target}"


def keys_of(table: Table) -> list[str]:
    """The keys of a table and its rows."""
    return [table.key, *(entry.key for entry in table.entries)]


def edges_of(scene: Scene) -> dict[str, Edge]:
    """The edges of a scene by their keys, without those that begin or end at nothing."""
    known = {key for table in scene.tables for key in keys_of(table)}
    return {edge_key(edge): edge for edge in scene.edges if edge.source in known and edge.target in known}


def check(scene: Scene) -> None:
    """Raise InputError unless the scene has only kinds, marks and keys with which it can be drawn."""
    for edge in scene.edges:
        _among("kind of an edge", edge.kind, EDGES)
    for table in scene.tables:
        _among("kind of a table", table.kind, KINDS)
        for key, mark in [(table.key, table.mark), *((entry.key, entry.mark) for entry in table.entries)]:
            _among(f"mark of {key}", mark, tuple(SIGNS))
    for key, times in Counter(key for table in scene.tables for key in keys_of(table)).items():
        if plain(key, 200) != key:
            raise InputError("key", key, "a short key without control characters")
        if times > 1:
            raise InputError("scene", key, "no key twice")


def _among(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InputError(name, value, f"one of {', '.join(map(repr, known))}")

