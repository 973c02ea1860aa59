# SPDX-License-Identifier: GPL-2.0-only
"""A scene: what a picture shows of a VM at one moment, as plain data, independent of how it is drawn.

Everything has a key (see `kvmmmu_lab.inspect.keys`) that is the same in all scenes, so that scenes can be compared,
merged and drawn on one stage. *Marks* show what happened at the moment: an entry is "changed", "read" or "dead", a table
"new" or "dead".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

from ..errors import InputError
from ..inspect.keys import Key
from .theme import BOXES, EDGES, KINDS, SIGNS, plain


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

    @property
    def short_target(self) -> str:
        """The target as a drawing shows it: a gfn is a bare number."""
        return self.target.removeprefix("gfn ").replace(" MB ", "M ")


@dataclass(frozen=True)
class Table:
    """One box of rows. ``kind``: "guest" (table), "shadow" (page), "frame", "rmap" (descriptor), "stored" (a guest table to
    which a store goes, outside of the box of the guest tables) or "list" (anything else).

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
    """Tables and edges of one moment. ``title`` states what the picture shows, ``notes`` what it leaves out.

    ``path``: the keys of the entries on the paths of the addresses that the picture is about. ``boxes``: other titles of the
    boxes around guest tables and shadow tables, as (kind, name, description).
    """

    title: str
    tables: tuple[Table, ...]
    edges: tuple[Edge, ...]
    notes: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    boxes: tuple[tuple[str, str, str], ...] = ()

    @property
    def box_titles(self) -> dict[str, tuple[str, str]]:
        """The name and the description of each kind of box."""
        return BOXES | {kind: (name, words) for kind, name, words in self.boxes}

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
    """The marks of one moment: ``of`` maps a key to its mark, ``was`` the key of a changed entry to its old value.

    ``running``: the names of the kinds of what happens, and of the operations around it, innermost first. At the end of an
    operation, "end" and its result come first.
    """

    of: dict[str, str] = field(default_factory=dict)
    was: dict[str, int] = field(default_factory=dict)
    running: tuple[str, ...] = ()

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
    notes, path = (tuple(dict.fromkeys(chain(*parts))) for parts in ([s.notes for s in scenes], [s.path for s in scenes]))
    return Scene(title, tuple(ordered), tuple(edges), notes, path, scenes[0].boxes if scenes else ())


def _merged(one: Table, other: Table) -> Table:
    known = {entry.key: entry for entry in one.entries}
    entries = rows([*one.entries, *(_wider(known.get(entry.key, entry), entry) for entry in other.entries)])
    words = max(one.words, other.words, key=lambda lines: (len(lines), sum(map(len, lines))))
    return replace(one, entries=entries, words=words, rank=min(one.rank, other.rank), rest=max(one.rest, other.rest, key=len))


def _wider(one: Entry, other: Entry) -> Entry:
    """Return an entry with room for the texts of both."""
    index, flags = (max(pair, key=len) for pair in ((one.index, other.index), (one.flags, other.flags)))
    wider = max(one, other, key=lambda entry: len(entry.short_target))
    return replace(other, index=index, flags=flags, target=wider.target)


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


def scene_data(scene: Scene) -> dict[str, Any]:
    """Return a scene as JSON, as short as it can be; `scene_of` reads it. What entries say isn't in it.

    A table is [key, kind, column, rank, title, words, rows, rest, mark], a row [rest of its key, index, flags, target, mark].
    Empty texts at the end are left out.
    """
    tables = []
    for table in scene.tables:
        start = len(table.key) + 1
        rows = [_short([row.key[start:], row.index, row.flags, row.target, row.mark]) for row in table.entries]
        place = [table.key, table.kind, table.column, table.rank]
        tables.append(_short([*place, table.title, list(table.words), rows, table.rest, table.mark]))
    return {
        "title": scene.title,
        "tables": tables,
        "edges": [[edge.kind, edge.source, edge.target] for edge in scene.edges],
        "notes": list(scene.notes),
        "path": list(scene.path),
        **({"boxes": [list(box) for box in scene.boxes]} if scene.boxes else {}),
    }


def _short(values: list[Any]) -> list[Any]:
    while values and values[-1] == "":
        values.pop()
    return values


def scene_of(data: Mapping[str, Any]) -> Scene:
    """Return the scene that `scene_data` wrote. Raises ValueError, LookupError, TypeError or AttributeError for other data."""
    tables = [_table_of(*table) for table in data["tables"]]
    edges = [Edge(source, target, kind) for kind, source, target in data["edges"]]
    boxes = tuple((kind, name, words) for kind, name, words in data.get("boxes", ()))
    scene = Scene(data["title"], tuple(tables), tuple(edges), tuple(data["notes"]), tuple(data["path"]), boxes)
    texts = [
        scene.title,
        *scene.notes,
        *scene.path,
        *(text for box in boxes for text in box),
        *(text for edge in edges for text in (edge.source, edge.target, edge.kind)),
    ]
    texts += [text for t in tables for text in (t.key, t.kind, t.title, t.rest, t.mark, *t.words)]
    texts += [text for t in tables for row in t.entries for text in (row.key, row.index, row.flags, row.target, row.mark)]
    numbers = [number for table in tables for number in (table.column, table.rank)]
    if not all(isinstance(text, str) for text in texts) or not all(isinstance(number, int) for number in numbers):
        raise TypeError("the data of a scene are texts and whole numbers")
    return scene


def _table_of(
    key: str,
    kind: str,
    column: int,
    rank: int,
    title: str = "",
    words: Iterable[str] = (),
    rows: Iterable[Iterable[str]] = (),
    rest: str = "",
    mark: str = "",
) -> Table:
    entries = tuple(_entry_of(f"{key}:{row}", *cells) for row, *cells in rows)
    return Table(key, kind, column, rank, title, tuple(words), entries, rest, mark)


def _entry_of(key: str, index: str = "", flags: str = "", target: str = "", mark: str = "") -> Entry:
    return Entry(key, index, flags, target, mark)


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
