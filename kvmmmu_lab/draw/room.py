# SPDX-License-Identifier: GPL-2.0-only
"""A drawing laid out for a room of a given shape, such as a slide, instead of being shrunk to it.

`fit` tries layouts and takes the one that fills the room best, with its text in full size. *Measures* save room: lines of a
table joined or beside its title, lower rows, counts of empty entries left out, guest and shadow tables beside each other,
columns split. Only if these aren't enough, rows and tables are *folded*: they are not drawn but counted. What must be seen,
such as the path of an address, is never folded. If even that isn't enough, the drawing is larger than the room.
"""

from __future__ import annotations

import functools
import re
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise, product, zip_longest
from math import ceil
from typing import NamedTuple

from ..inspect.keys import Key
from . import metrics
from .dot import BETWEEN, stacks
from .geometry import Box
from .layout import APART, HEADING, INNER, LABEL, LARGEST_GAP, MARGIN, Layout, Plan, finished, make_plan, title_room
from .scene import Entry, Scene, Table, check, edges_of, keys_of
from .svg import Appearance, notes_height
from .theme import BOXES


class Room(NamedTuple):
    """The size of the place for a drawing, in pixels of a drawing whose text has 11 px."""

    width: float
    height: float


SLIDE = Room(825, 290)
"""The room on a slide of 1280 x 720 pixels: 1,200 x 422 pixels, so that the text has 16 pixels."""

BESIDE = 270
"""Maximum width of a title with a line beside it, in pixels."""

JOINED = (0, 130, 205, 130)
"""The width up to which lines are joined, in pixels, for each degree of joining; in a wide table, its width if that is more."""

FIRST = 3
"""The degree of joining at which shadow pages with rows have only their first line."""

NARROW, NARROWEST = 26, 15
"""The minimum gap between columns, in pixels: for a drawing that fits anyway, and for one that needs narrower ones to fit."""

SLOPE = 45
"""How far an arrow between tables may rise or fall if that keeps tables in line, in pixels."""

FITTING, LARGER, LARGEST = 1000, 0.2, 1.5
"""What counts besides the part of the room that a drawing fills: that it fits, and its scale, up to the largest one."""

TRIES = 3
"""How often a layout is made for a smaller room because the one before was too large after all."""

FOLDED = {"guest": "guest table", "shadow": "shadow page", "frame": "frame", "rmap": "list of references", "list": "list"}
"""The words for tables that aren't drawn."""

UNTIED = "“of gfn” names the guest table that each one shadows"
"""The description of the shadow tables if not all lines to them are drawn."""

BETWEEN_BOXES = 16
"""Additional pixels between boxes that are beside each other."""

WIDEST = 400
"""Maximum width of lines that aren't rows, in pixels. The texts are those of a drawing, so they aren't longer."""

ABREAST, MERGED, BELOW, SPLIT = 0.05, 0.03, 0.4, 0.08
"""The harm of guest tables and shadow tables beside each other, of two columns of lists in one, of frames below the last tables
instead of at the right, and of each split of a column."""

MOST_PARTS = 4
"""Maximum number of columns in which a column is split."""

Bands = tuple[list[str], ...]
"""The keys of the tables of one column, from top to bottom: guest tables, shadow pages, others."""

_UNCOUNTED = re.compile("$^"), re.compile(r"(?:, )?\d+ empty$"), re.compile(r"^(?:\d+ more)?(?:, )?(?:\d+ empty)?$")
"""What is left out of the line that counts the other entries, for each value of `Measures.uncounted`."""

UNSAID = "only the first line about each one is shown"
"""How the description of the shadow tables says that their other lines aren't shown."""

UNCOUNTED = "", "empty entries are not counted", "entries that are not drawn are not counted"
"""How the description of a box says so."""


HEIGHTS = (metrics.USUAL, metrics.Heights(24, 18, 21, 4), metrics.DENSE)
"""The heights of rows and lines: as usual, with more space in a wide room, and with less space."""


class Measures(NamedTuple):
    """Measures that change the texts of tables.

    ``joined``: how far lines below a title are joined (see `JOINED`, `FIRST`). ``beside``: whether the first line is beside the
    title, 1 where that makes the drawing lower, 2 everywhere. ``uncounted``: 1 if empty entries aren't counted, 2 if no entries
    are that aren't drawn. ``rows``: their height, as an index of `HEIGHTS`.
    """

    joined: int
    beside: int
    uncounted: int
    rows: int

    @property
    def harm(self) -> float:
        """How much a reader loses, as a part of the room."""
        rows = (0, 0.02, 0.03)[self.rows]
        return (0, 0.01, 0.03, 0.2)[self.joined] + (0, 0.04, 0.03)[self.beside] + (0, 0.08, 0.15)[self.uncounted] + rows

    @property
    def heights(self) -> metrics.Heights:
        """The heights of the parts of a table."""
        return HEIGHTS[self.rows]


ALL_MEASURES = [Measures(*chosen) for chosen in product(range(4), range(3), range(3), range(3))]


class Wording(NamedTuple):
    """How the texts of one table are changed: ``groups`` are the numbers of lines that are joined to one."""

    groups: tuple[tuple[int, ...], ...]
    short: bool
    uncounted: int

    def __call__(self, title: str, words: Sequence[str], rest: str) -> tuple[str, tuple[str, ...], str]:
        """Return the title, the lines and the count of the other entries."""
        joined = (_joined(words[number] for number in group if number < len(words)) for group in self.groups)
        title = title.removeprefix("shadow ") if self.short else title
        return title, tuple(joined), _UNCOUNTED[self.uncounted].sub("", rest)


def _joined(lines: Iterable[str]) -> str:
    text = ""
    for line in filter(None, lines):
        text += (" " if text.endswith(":") else " · ") * bool(text) + line
    return text


@dataclass(frozen=True)
class Fitting:
    """A stage laid out for a room. ``stage`` has the changed texts, without what is folded.

    ``folded``: the keys of the tables and rows that aren't drawn; ``notes``: the lines below the drawing. ``fits``: whether the
    drawing with its notes isn't larger than the room.
    """

    stage: Scene
    layout: Layout
    wordings: Mapping[str, Wording]
    folded: tuple[str, ...]
    notes: tuple[str, ...]
    fits: bool

    def scale(self, room: Room) -> float:
        """Return how much larger the drawing with its notes can be drawn in a room."""
        height = self.layout.height + notes_height(self.notes, self.layout.width)
        return min(room.width / self.layout.width, room.height / height)

    def look(self, key: str, look: Appearance) -> Appearance | None:
        """Return an appearance (see `svg`) with the changed texts; None if it isn't drawn."""
        if key in self.wordings:
            title, words, rest = self.wordings[key](look[2], look[3:-1], look[-1])
            return [*look[:2], title, *words, rest]
        return look if key in self.layout.rows or key in self.layout.edges else None


def fit(stage: Scene, room: Room, kept: Collection[str] = (), notes: Sequence[str] = ()) -> Fitting:
    """Lay out a stage for a room. Its main path is never folded, nor are these ``kept`` tables and rows and the paths to them.

    ``notes``: what is stated below the drawing; what is folded is added. Raises InputError for a scene that can't be drawn.
    """
    check(stage)
    folds = list(_folds(stage, on_paths(stage, {*kept, *_main_path(stage)})))

    @functools.cache
    def fitting(number: int) -> Fitting:
        folded = tuple(folds[number])
        return _fit(without(stage, folded), room, folded, notes, _folded_words(stage, folded))

    if fitting(0).fits:
        return fitting(0)
    fewest = bisect_left(range(1, len(folds) - 1), True, key=lambda number: fitting(number).fits)
    return fitting(min(fewest + 1, len(folds) - 1))


def _fit(stage: Scene, room: Room, folded: tuple[str, ...], notes: Sequence[str], words: list[str]) -> Fitting:
    """Return the best layout of a stage. The candidates' sizes are estimates: arrows and notes may need a little more."""
    candidates, smaller = list(_candidates(stage, room)), room
    for _ in range(TRIES):
        best = max(candidates, key=lambda one: one.score(smaller))
        plan = best.plan(stage, smaller)
        titles, unsaid = _titles(plan, stage, best)
        place = finished(plan, titles, places(plan, best.arrangement, best.variants))
        lines = (*notes, *filter(None, ["; ".join([*words, *unsaid])]))
        height = place.height + notes_height(lines, place.width)
        wordings = {key: variant.wording for key, variant in best.variants.items()}
        done = Fitting(plan.stage, place, wordings, folded, lines, place.width <= room.width and height <= room.height)
        if done.fits or best.scale(smaller) < 1:
            break
        more = max(0, place.width - room.width), max(0, height - room.height)
        smaller = Room(smaller.width - more[0], smaller.height - more[1])
    return done


# The texts of a stage


def with_texts(stage: Scene, looks: Iterable[Mapping[str, Appearance]]) -> Scene:
    """Return the stage with the widest text that each place has in any of these appearances."""
    widest: dict[str, list[str]] = {}
    tables = {table.key for table in stage.tables}
    for some in looks:
        for key, (_, _, *texts) in some.items():
            known = widest.setdefault(key, texts)
            # Rows have a fixed-width font
            widest[key] = [
                max(pair, key=metrics.text_width if key in tables else len) for pair in zip(known, texts, strict=True)
            ]
    return replace(stage, tables=tuple(_table(table, widest) for table in stage.tables))


def _table(table: Table, widest: Mapping[str, list[str]]) -> Table:
    heading, *words, rest = widest[table.key]
    entries = tuple(_entry(entry, widest[entry.key]) for entry in table.entries)
    return replace(table, title=heading, words=tuple(words), rest=rest, entries=entries)


def _entry(entry: Entry, texts: list[str]) -> Entry:
    index, _, flags, target = texts
    return replace(entry, index=index, flags=flags, target=target)


# What is folded


def on_paths(stage: Scene, kept: Collection[str]) -> set[str]:
    """Return the keys ``kept`` with their tables, the entries that lead to these tables, and the frames that they lead to."""
    owner = {key: table for table in stage.tables for key in keys_of(table)}
    found = {key for key in kept if key in owner}
    found |= {owner[key].key for key in found}
    edges = [edge for edge in edges_of(stage).values() if edge.kind not in ("shadows", "parent")]
    while True:
        more = {edge.target for edge in edges if edge.source in found and edge.source != owner[edge.source].key}
        more |= {edge.source for edge in edges if edge.target in found and owner[edge.target].kind in BOXES}
        more |= {owner[key].key for key in more}
        if more <= found:
            return found
        found |= more


def _main_path(stage: Scene) -> set[str]:
    """Return what the stage is about: the path of the first address, or, if there is none, the first table of each column."""
    first = {table.key for table in stage.tables if table.rank == 0}
    return {key for key in stage.path if Key(key).table in first} or first


def _folds(stage: Scene, shown: set[str]) -> Iterator[list[str]]:
    """Yield what to fold: nothing, then one row more each time, then one table more each time.

    A row is the last one of the table with the most rows that aren't in ``shown``; rows of frames, and rows that lead to tables
    that are drawn, stay. A table of the last address is the first one, and the rows that lead to it are folded with it.
    """
    folded: list[str] = []
    yield folded
    if not shown:
        return
    tables = sorted((table for table in stage.tables if table.key not in shown), key=lambda t: (-t.rank, t.column))
    owner = {key: table.key for table in stage.tables for key in keys_of(table)}
    leading: dict[str, list[str]] = {table.key: [] for table in tables}
    for edge in edges_of(stage).values():
        if owner[edge.target] in leading and edge.source != owner[edge.source]:
            leading[owner[edge.target]].append(edge.source)
    kept = shown.union(*leading.values())
    others = [
        [entry.key for entry in table.entries if entry.key not in kept] for table in stage.tables if table.kind != "frame"
    ]
    while rows := max(others, key=len, default=[]):
        folded = [*folded, rows.pop()]
        yield folded
    for table in tables:
        gone = dict.fromkeys([*folded, *(key for key in leading[table.key] if key not in shown), table.key])
        folded = [key for key in gone if owner[key] == key or owner[key] not in gone]
        yield folded


def counted(folded: Iterable[str]) -> str:
    """Return how many tables and rows are folded, given their keys: "2 tables and 1 row"."""
    rows = [bool(Key(key).row) for key in folded]
    counts = (rows.count(False), "table"), (sum(rows), "row")
    return " and ".join(f"{count} {name}{'s' * (count > 1)}" for count, name in counts if count)


def _folded_words(stage: Scene, folded: Collection[str]) -> list[str]:
    """Return a line that counts what isn't drawn, if anything."""
    counts = [(sum(table.key in folded for table in stage.of(kind)), one) for kind, one in FOLDED.items()]
    rows = sum(entry.key in folded for table in stage.tables if table.key not in folded for entry in table.entries)
    parts = [f"{count} more {one}{'s' * (count > 1)}" for count, one in (*counts, (rows, "row")) if count]
    return [f"not drawn: {', '.join(parts)}"] if parts else []


def without(stage: Scene, folded: Collection[str]) -> Scene:
    """Return the stage without these tables and rows, and the arrows from and to them."""
    gone = set(folded)
    tables = [
        replace(table, entries=tuple(entry for entry in table.entries if entry.key not in gone))
        for table in stage.tables
        if table.key not in gone
    ]
    scene = replace(stage, tables=tuple(tables))
    return replace(scene, edges=tuple(edges_of(scene).values()))


# The choice of a layout


class Variant(NamedTuple):
    """A table with changed texts. ``split``: the width of the title's part of the bar if a line is beside it."""

    table: Table
    wording: Wording
    split: float | None
    cells: metrics.Column
    height: int


Variants = Mapping[str, Variant]


@dataclass(frozen=True)
class Candidate:
    """One way to lay out a stage: variants of its tables, and columns, from left to right.

    ``least``: the width without gaps, in pixels; ``labels``: the number of gaps with labels; ``harm``: see `Measures`.
    """

    variants: Variants
    measures: Measures
    arrangement: Arrangement
    least: float
    height: float
    labels: int

    @property
    def harm(self) -> float:
        """How much a reader loses, as a part of the room."""
        return self.measures.harm + self.arrangement.harm

    def width(self, room: Room) -> float:
        """Return the width for a room: the gaps are as wide as the room permits without making the drawing smaller."""
        gaps = len(self.arrangement.columns) - 1
        broad = self.least + gaps * LARGEST_GAP + self.labels * LABEL
        narrow = min(self.least + gaps * NARROW, room.width)
        return max(min(broad, self.height * room.width / room.height), narrow, self.least + gaps * NARROWEST)

    def scale(self, room: Room) -> float:
        """Return how much larger it can be drawn in a room; below 1, it doesn't fit."""
        return min(room.width / self.width(room), room.height / self.height)

    def score(self, room: Room) -> float:
        """Return how good it is for a room: above all whether it fits, then how much it fills, its scale, and its harm."""
        scale = min(self.scale(room), LARGEST)
        share = self.width(room) * self.height * scale**2 / (room.width * room.height)
        return FITTING * min(scale, 1) + LARGER * scale + share - self.harm

    def plan(self, stage: Scene, room: Room) -> Plan:
        """Return the plan of the layout."""
        columns, abreast = self.arrangement.columns, self.arrangement.abreast
        numbers = {key: len(columns) - 1 - at for at, bands in enumerate(columns) for band in bands for key in band}
        tables = tuple(replace(self.variants[table.key].table, column=numbers[table.key]) for table in stage.tables)
        beside = {key: variant.split for key, variant in self.variants.items() if variant.split is not None}
        stage = replace(stage, tables=tables)
        widths, width = metrics.columns(stage, beside, WIDEST), self.width(room) - _around(abreast)
        plan = make_plan(stage, width, widths, self.measures.heights, beside, abreast, NARROWEST)
        if abreast or plan.gap >= NARROW:
            return plan
        # Dotted lines around tables would run into the arrows in narrow gaps
        straight = {(bands[0][-1], bands[1][0]) for bands in columns if bands[0] and bands[1]}
        edges = {k: edge for k, edge in plan.edges.items() if edge.kind != "shadows" or (edge.source, edge.target) in straight}
        return replace(plan, edges=edges, stage=replace(stage, edges=tuple(edges.values())))


def _candidates(stage: Scene, room: Room) -> Iterator[Candidate]:
    """Yield all ways to lay out a stage, except those whose measures change nothing, or whose columns need too much width."""
    labelled = {edge.target for edge in stage.edges if edge.kind == "readonly"}
    rows = {table.key: metrics.column(replace(table, title="", words=(), rest="")) for table in stage.tables}
    arrangements = [one for one in _arrangements(stage) if not one.harm or _rows_width(one, rows) <= room.width]
    seen = set()
    for measures in ALL_MEASURES:
        below, beside = (
            {table.key: _variant(table, rows[table.key], measures, chosen) for table in stage.tables}
            for chosen in (False, bool(measures.beside))
        )
        sizes = (*((one.cells.width, one.height) for some in (below, beside) for one in some.values()), measures.beside == 1)
        if sizes in seen:
            continue
        seen.add(sizes)
        for arrangement in arrangements:
            variants = _where_lower(arrangement, below, beside) if measures.beside == 1 else beside
            tables = [[key for band in bands for key in band] for bands in arrangement.columns]
            widths = (metrics.joint([variants[key].cells for key in keys]).width for keys in tables)
            height = Extent(arrangement, variants).bottom + 2 * MARGIN
            labels = sum(not labelled.isdisjoint(keys) for keys in tables[1:])
            yield Candidate(variants, measures, arrangement, sum(widths) + _around(arrangement.abreast), height, labels)


def _rows_width(arrangement: Arrangement, rows: Mapping[str, metrics.Column]) -> float:
    """Return the width that the rows alone need."""
    widths = [metrics.joint(rows[key] for band in bands for key in band).width for bands in arrangement.columns]
    return sum(widths) + NARROWEST * (len(widths) - 1) + _around(arrangement.abreast)


def _variant(table: Table, rows: metrics.Column, measures: Measures, beside: bool) -> Variant:
    """Return a table with the texts that the measures leave. ``rows``: their width; ``beside``: whether a line may be beside
    the title."""
    groups = _groups(table.words, JOINED[measures.joined] and max(JOINED[measures.joined], metrics.joint([rows]).width))
    texts = table.title, table.words, table.rest
    if measures.joined == FIRST and table.kind == "shadow" and table.entries:
        groups = groups[:1]
    wording = Wording(groups, beside and table.kind == "shadow", measures.uncounted * (table.kind in BOXES))
    title, words, rest = wording(*texts)
    split = metrics.title_width(title) if beside and words else None
    if split is not None and split + metrics.text_width(words[0]) > BESIDE:
        split = None
    if split is None and wording.short:
        wording = wording._replace(short=False)
        title, words, rest = wording(*texts)
    worded = replace(table, title=title, words=words, rest=rest)
    cells = rows._replace(width=metrics.column(replace(worded, entries=texts_of(table)), split, WIDEST).width)
    return Variant(worded, wording, split, cells, metrics.height(worded, measures.heights, split is not None))


def texts_of(table: Table) -> tuple[Entry, ...]:
    """Return the rows that are texts instead of entries."""
    return tuple(entry for entry in table.entries if metrics.is_text(entry))


def _groups(words: Sequence[str], most: float) -> tuple[tuple[int, ...], ...]:
    """Return which lines are joined, so that each has at most ``most`` pixels."""
    groups: list[tuple[int, ...]] = []
    for number in range(len(words)):
        longer = (*groups[-1], number) if groups else ()
        if longer and metrics.text_width(_joined(words[k] for k in longer)) <= most:
            groups[-1] = longer
        else:
            groups.append((number,))
    return tuple(groups)


def _where_lower(arrangement: Arrangement, below: Variants, beside: Variants) -> Variants:
    """Return the variants with a line beside the title only in the columns that would otherwise make the drawing higher."""
    extent = Extent(arrangement, beside)
    found = dict(beside)
    for number, bands in enumerate(arrangement.columns):
        for keys, top, end in extent.stacks(number, bands):
            if _stack(keys, below) <= end - top:
                found |= {key: below[key] for key in keys}
    return found


def _stack(keys: Sequence[str], variants: Variants) -> float:
    """Return the height of tables below one another."""
    return sum([variants[key].height for key in keys]) + BETWEEN * (len(keys) - 1) if keys else 0


# Columns: their order, and how they are split


class Arrangement(NamedTuple):
    """Columns of keys of tables, from left to right. ``abreast``: whether guest tables and shadow pages are beside each other.

    ``inside``: the columns that are divided into bands: those from the first to the last one with guest tables or shadow
    pages; if these are abreast, only their own. ``harm``: see `Measures`.
    """

    columns: list[Bands]
    abreast: bool
    inside: Collection[int]
    harm: float


def _band(table: Table) -> int:
    return (*BOXES, table.kind).index(table.kind)


def _arrangements(stage: Scene) -> Iterator[Arrangement]:
    """Yield ways to put the tables into columns."""
    columns: list[Bands] = [
        tuple([table.key for table in tables if _band(table) == band] for band in range(3)) for tables in stacks(stage).values()
    ]
    descriptors = {table.key for table in stage.of("rmap")}
    inside, frames = _inside(columns), {table.key for table in stage.of("frame")}
    yield from _split(columns, descriptors, 0)
    if inside.start == 2:
        merged: Bands = ([], [], [key for bands in columns[:2] for key in bands[2]])
        yield from _split([merged, *columns[2:]], descriptors, MERGED)
    if inside and inside.stop == len(columns) - 1 and {*columns[-1][2]} <= frames:
        below: Bands = (*columns[-2][:2], columns[-2][2] + columns[-1][2])
        yield from _split([*columns[:-2], below], descriptors, BELOW)


def _inside(columns: Sequence[Bands]) -> range:
    banded = [number for number, bands in enumerate(columns) if bands[0] or bands[1]]
    return range(banded[0], banded[-1] + 1) if banded else range(0)


def _split(columns: list[Bands], descriptors: set[str], harm: float) -> Iterator[Arrangement]:
    """Yield ways to split columns. A list of descriptors goes from right to left, like the arrows of a reverse map."""
    most = [max((len(bands[band]) for bands in columns), default=1) or 1 for band in range(3)]
    inside = _inside(columns)
    for parts in product(*(range(1, min(count, MOST_PARTS) + 1) for count in most)):
        sizes = [ceil(longest / count) for longest, count in zip(most, parts, strict=True)]
        split = [[_chunks(keys, size) for keys, size in zip(bands, sizes, strict=True)] for bands in columns]
        for column in split:
            column[2] = column[2][::-1] if {*column[2][0]} & descriptors else column[2]
        cost = harm + SPLIT * (sum(parts) - 3)
        found = [bands for column in split for bands in _side_by_side(column)]
        yield Arrangement(found, False, _inside(found), cost)
        # Guest tables and shadow pages stand at the two sides of the frames to which both lead
        if len(inside) == 1 and all(columns[inside.start][:2]) and parts[:2] == (1, 1):
            guest, *others = split[inside.start]
            middle: list[list[list[list[str]]]] = [[guest, [[]], [[]]], *split[inside.stop :], [[[]], *others]]
            beside = [*split[: inside.start], *middle]
            found = [bands for column in beside for bands in _side_by_side(column)]
            yield Arrangement(found, True, (inside.start, len(found) - 1), cost + ABREAST)


def _chunks(keys: list[str], size: int) -> list[list[str]]:
    """Return the keys in lists of about the same length, of at most ``size``; one empty list if there are none."""
    count = max(ceil(len(keys) / size), 1)
    ends = [round(number * len(keys) / count) for number in range(count + 1)]
    return [keys[first:end] for first, end in pairwise(ends)]


def _side_by_side(column: list[list[list[str]]]) -> list[Bands]:
    return [tuple(bands) for bands in zip_longest(*column, fillvalue=[])]


# Places


class Extent:
    """Where the bands begin and end, in pixels: ``top`` and ``end`` of each band's tables, and ``bottom`` of everything."""

    def __init__(self, arrangement: Arrangement, variants: Variants) -> None:
        columns, self.inside = arrangement.columns, arrangement.inside
        tall = [max([_stack(columns[n][band], variants) for n in self.inside], default=0) for band in range(3)]
        self.top, self.end, below = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0], 0.0
        for band, height in enumerate(tall):
            if height:
                self.top[band] = (0 if arrangement.abreast and band < 2 else below) + HEADING * (band < 2)
                self.end[band] = self.top[band] + height
                below = max(below, self.end[band] + (INNER + APART) * (band < 2))
        self.bottom = below - APART * bool(self.inside and not tall[2])
        outside = [_stack(list(chain(*bands)), variants) for n, bands in enumerate(columns) if n not in self.inside]
        self.bottom = max([self.bottom, *outside])

    def stacks(self, number: int, bands: Bands) -> list[tuple[list[str], float, float]]:
        """Return the stacks of tables in a column, each with the heights between which it can be placed."""
        if number in self.inside:
            return list(zip(bands, self.top, self.end, strict=True))
        return [([key for band in bands for key in band], 0, self.bottom)]


def places(plan: Plan, arrangement: Arrangement, variants: Variants) -> dict[str, Box]:
    """Return the place of each table: in its band, as far as possible at the height of what it is linked with at its left."""
    extent = Extent(arrangement, variants)
    found: dict[str, Box] = {}
    x, guest = 0.0, False
    for number, (bands, column) in enumerate(zip(arrangement.columns, plan.columns, strict=True)):
        x += (plan.gap if number else 0) + (plan.extra if column in plan.wide else 0)
        x += BETWEEN_BOXES if plan.abreast and guest and bands[1] else 0
        guest = bool(bands[0])
        for keys, top, bottom in extent.stacks(number, bands):
            wanted = [_wanted(plan, found, plan.owner[key]) for key in keys]
            heights = [variants[key].height for key in keys]
            tops = _spread(wanted, heights, top, bottom, SLOPE if number in extent.inside else 0)
            for key, y, height in zip(keys, tops, heights, strict=True):
                found[key] = Box(x, y, plan.columns[column].width, height)
        x += plan.columns[column].width
    return found


def _wanted(plan: Plan, found: Mapping[str, Box], table: Table) -> float | None:
    """Return the top of a table that makes its arrows from the left horizontal, on average; None without such arrows."""
    tables, tops = plan.owner, []
    for edge in plan.edges.values():
        for here, there in ((edge.source, edge.target), (edge.target, edge.source)):
            other = tables[there]
            if edge.kind != "shadows" and tables[here].key == table.key and other.key in found and other.key != table.key:
                tops.append(_middle(plan, other, there, found[other.key].y) - _middle(plan, table, here, 0))
    return sum(tops) / len(tops) if tops else None


def _middle(plan: Plan, table: Table, key: str, top: float) -> float:
    """Return the height at which an arrow ends, for a table or one of its rows."""
    rows = [entry.key for entry in table.entries]
    if key not in rows:
        return top + plan.heights.bar / 2
    row = plan.row(Box(0, top, 0, 0), table, rows.index(key))
    return row.y + row.height / 2


def _spread(wanted: list[float | None], heights: list[int], top: float, bottom: float, slope: float) -> list[float]:
    """Return the tops of tables below one another: in order, apart, between top and bottom, and near to what is wanted.

    A table stays where it can be as high as possible if it is wanted less than ``slope`` pixels lower.
    """
    tops: list[float] = []
    at = top
    for want, height in zip(wanted, heights, strict=True):
        tops.append(at if want is None or want < at + slope else want)
        at = tops[-1] + height + BETWEEN
    end = bottom
    for number in reversed(range(len(tops))):
        tops[number] = max(min(tops[number], end - heights[number]), top)
        end = tops[number] - BETWEEN
    return tops


def _around(abreast: bool) -> float:
    """Return the pixels at the left and the right of all columns, and between boxes that are beside each other."""
    return 2 * (MARGIN + INNER) + BETWEEN_BOXES * abreast


def _titles(plan: Plan, stage: Scene, best: Candidate) -> tuple[dict[str, list[str]], list[str]]:
    """Return the title of each box, with a description if there is room for it on one line, and what there was no room for.

    The descriptions say what the drawing leaves out: counts of entries, and lines from guest tables to shadow pages.
    """
    found, unsaid = {}, []
    special = {"shadow": [UNTIED]} if len(plan.edges) < len(edges_of(stage)) else {}
    if any(best.variants[table.key].table.rest != table.rest for table in stage.tables):
        special.setdefault("guest" if stage.of("guest") else "shadow", []).append(UNCOUNTED[best.measures.uncounted])
    if any(len(table.words) > sum(map(len, best.variants[table.key].wording.groups)) for table in stage.tables):
        special.setdefault("shadow", []).append(UNSAID)
    for kind in BOXES:
        name, words = stage.box_titles[kind]
        if plan.stage.of(kind):
            described = "; ".join(special.get(kind, [words]))
            title = f"{name} ({described})" if described else name
            fits = metrics.text_width(title, bold=True) <= title_room(plan, kind)
            found[kind] = [title if fits else name]
            unsaid += [] if fits else special.get(kind, [])
    return found, unsaid
