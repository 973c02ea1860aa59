# SPDX-License-Identifier: GPL-2.0-only
"""The picture of one hash bucket: its pages in order, each with its name, the gfn and the parts of the role, one per row.

A row with a part of the role also states the bits of the role word that hold it. With a role, the picture shows the lookup of
one name: which page has it, and in which parts the names of the others differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from ..inspect.keys import HASH, Key, shadow_page
from ..mmu.machine import Machine
from ..mmu.pool import NUM_PAGES, ShadowPage
from .scene import Entry, Marks, Scene
from .scene_builder import LIMIT, SceneBuilder, more, plural

NAME = Key("n")
"""The box with the name that is looked for."""

IN_A_ROW = 3
"""Maximum number of pages side by side."""

DIFFERS = "\N{NOT EQUAL TO} "
"""The sign of a part of a name that differs from the name that is looked for."""

LAST_RANK = 99
"""Rank of the oldest pages of a bucket in a film (see `_place`)."""


@dataclass(frozen=True)
class RolePart:
    """A part of the role word: the bits ``low`` to ``high``."""

    name: str
    low: int
    high: int

    @property
    def bits(self) -> str:
        """The bit numbers as text, such as "17-18"."""
        return str(self.low) if self.low == self.high else f"{self.low}-{self.high}"

    def of(self, role: int) -> int:
        """The value of the part in a role word."""
        return role >> self.low & (1 << self.high - self.low + 1) - 1

    def words(self, role: int) -> str:
        """The value of the part in words."""
        value = self.of(role)
        if self.name == "metaphysical":
            return "yes" if value else "no"
        if self.name == "access":
            letters = f"{'W' if value & 1 else '.'}{'U' if value & 2 else '.'}"
            return letters if METAPHYSICAL.of(role) and LEVELS.of(role) else "none"
        return str(value)


LEVELS, METAPHYSICAL = RolePart("guest levels", 0, 3), RolePart("metaphysical", 16, 16)
PARTS = (LEVELS, RolePart("level", 4, 7), RolePart("quadrant", 8, 9), METAPHYSICAL, RolePart("access", 17, 18))
"""The parts of the role word, from the lowest bits to the highest."""


def hash_bucket_scene(
    vm: Machine, gfn: int, role: int | None = None, marks: Marks | None = None, limit: int | None = None
) -> Scene:
    """Return the bucket of a gfn with the names of its pages. ``role``: the name that is looked for is (gfn, role).

    ``limit``: the maximum number of pages.
    """
    builder, most = SceneBuilder(vm, marks), LIMIT - 2 if limit is None else limit
    number, pages = gfn % NUM_PAGES, vm.pool.bucket(gfn)
    drawn = pages[:most]
    key = HASH.entry(number)
    row = Entry(key, f"{number:#x}", "", plural(len(pages), "page"), builder.mark(key))
    builder.box(HASH, "list", IN_A_ROW, 0, "hash bucket", (f"{gfn:#x} % {NUM_PAGES} = {number:#x}",), [row])
    if role is not None:
        builder.box(NAME, "list", IN_A_ROW, 1, "looking for", (f"role {role:#x}",), _chips(NAME, gfn, role))
    found = next((page for page in pages if (page.gfn, page.role) == (gfn, role)), None)
    for at, page in enumerate(drawn):
        words = [f"role {page.role:#x}"]
        if role is not None:
            words.append(f"{at + 1}. {_comparison(page, pages, found, gfn, role)}")
        elif len(pages) > 1:
            words.append(f"{at + 1}. in the bucket")
        column, rank = _place(at, len(drawn), film=marks is not None)
        own, title = shadow_page(page.id), f"shadow L{page.level} #{page.id}"
        chips = _chips(own, page.gfn, page.role, gfn, role)
        builder.box(own, "shadow", column, rank, title, tuple(words), chips)
    for before, after in pairwise([key, *(shadow_page(page.id) for page in drawn)]):
        builder.edge(before, after, "link")
    return builder.scene(*_words(gfn, role, found, len(drawn), len(pages), most))


def _place(at: int, count: int, film: bool) -> tuple[int, int]:
    """Return column and rank of a page. A picture is read from left to right, line by line.

    In a film the pages are counted from the oldest, so that they keep their places when a new one comes in before them.
    """
    if not film:
        return IN_A_ROW - 1 - at % IN_A_ROW, at // IN_A_ROW
    place = count - 1 - at
    return place % IN_A_ROW, LAST_RANK - place // IN_A_ROW


def _chips(table: Key, gfn: int, role: int, wanted_gfn: int | None = None, wanted: int | None = None) -> list[Entry]:
    """Return the rows of a name. What differs from the wanted name has the sign `DIFFERS`."""
    sign = DIFFERS * (wanted is not None and gfn != wanted_gfn)
    rows = [Entry(table.entry("gfn"), "gfn", "", f"{sign}{gfn:#x}", "", f"gfn {gfn:#x}")]
    for part in PARTS:
        sign = DIFFERS * (wanted is not None and part.of(role) != part.of(wanted))
        text = f"{sign}{part.words(role)}"
        key, says = table.entry(part.name.replace(" ", "-")), f"{part.name}, bits {part.bits}: {text}"
        rows.append(Entry(key, part.name, part.bits, text, "", says))
    return rows


def _comparison(page: ShadowPage, pages: list[ShadowPage], found: ShadowPage | None, gfn: int, role: int) -> str:
    """Return what a lookup does with a page."""
    if page is found:
        return "has this name: reused"
    if found is not None and pages.index(page) > pages.index(found):
        return "not reached"
    return "skipped: another gfn" if page.gfn != gfn else "skipped: another role"


def _words(gfn: int, role: int | None, found: ShadowPage | None, drawn: int, total: int, most: int) -> tuple[str, list[str]]:
    """Return the title and the notes."""
    notes = ["the newest page is first"] * (total > 1)
    if drawn < total:
        notes.append(f"{drawn} of {total} pages are drawn; limit={more(most, total)} draws more")
    if role is not None and drawn:
        notes.append(f"{DIFFERS}differs from the name that is looked for")
    if role is None:
        return f"The hash bucket of gfn {gfn:#x}: its pages and their names", notes
    result = f"#{found.id} is reused" if found else "no page has this name, so a new one is needed"
    return f"Looking for gfn {gfn:#x} with role {role:#x}: {result}", notes
