# SPDX-License-Identifier: GPL-2.0-only
"""Why a write to a page table killed these shadow entries and no others, in words."""

from __future__ import annotations

from dataclasses import dataclass

from ..mmu.bits import ROOT_32
from ..mmu.machine import Machine
from ..mmu.pool import ShadowPage
from ..mmu.prewrite import FLOOD, shadow_range
from ..read.names import Names


@dataclass(frozen=True)
class Facts:
    """What was known before a write: where, which shadow pages it meets, and how many writes in a row it makes."""

    gfn: int
    offset: int
    size: int
    pages: tuple[ShadowPage, ...]
    entry: int
    """Bytes of a guest entry."""
    narrow: bool
    level: int
    roots: tuple[int, ...]
    row: int

    @classmethod
    def of(cls, vm: Machine, gfn: int, offset: int, size: int, pages: list[ShadowPage]) -> Facts:
        """Look, and change nothing."""
        narrow = vm.root_level == ROOT_32
        row = vm.last_pt_write_count + 1 if gfn == vm.last_pt_write_gfn else 1
        roots = tuple(page.id for page in pages if page.root_count)
        level = pages[0].level if pages else 0
        return cls(gfn, offset, size, tuple(pages), 4 if narrow else 8, narrow, level, roots, row)

    @property
    def misaligned(self) -> bool:
        """Whether the bytes cross the edge of an entry."""
        return self.offset // self.entry != (self.offset + self.size - 1) // self.entry

    @property
    def whole(self) -> bool:
        """Whether all of the page goes."""
        return self.misaligned or self.row >= FLOOD

    def hit(self, names: Names) -> list[str]:
        """The shadow entries that were made from the guest entry at the offset, or would be."""
        ranges = [shadow_range(page, self.offset) for page in self.pages]
        return [names.spte(first + number) for first, count in ranges for number in range(count)]


def explain_write(names: Names, facts: Facts, gone: list[str], noticed: bool) -> list[str]:
    """Sentences that say what died and why."""
    if not noticed or not facts.pages:
        return [
            f"gfn {facts.gfn:#x} isn't shadowed, so nothing is write-protected for it: the guest writes, and nobody looks. "
            "Only shadowed tables matter; no shadow entry was made from this one."
        ]
    reasons = []
    if facts.misaligned:
        reasons.append(
            f"{facts.size} bytes at offset {facts.offset:#x} cross the edge of an entry (entries of this guest have "
            f"{facts.entry} bytes): the code of 2007 doesn't work out which entries are hit, and zaps the whole page."
        )
    if facts.row >= FLOOD:
        reasons.append(
            f"This is write {facts.row} in a row to gfn {facts.gfn:#x}: from the third on it is taken to be no page table "
            "any more, and all its shadow goes. Page faults between don't reset the count, only a write elsewhere does."
        )
    reasons += _whole(names, facts) if facts.whole else _entries(names, facts, gone)
    return reasons


def _whole(names: Names, facts: Facts) -> list[str]:
    said = []
    if len(facts.pages) > 1:
        said.append(f"The table has {len(facts.pages)} shadow pages, one for each quadrant in use, and all of them go.")
    if facts.roots:
        said.append("A root in use can't be given back: it stays, empty, and its entries come back by faults.")
    elif facts.level > 1:
        said.append("The shadow pages below stay in the pool, found again by their gfn and role when a fault needs them.")
    else:
        said.append("The entries above that led there are emptied, too: a link to a page that is gone would be wild.")
    return said


def _entries(names: Names, facts: Facts, gone: list[str]) -> list[str]:
    index, said = facts.offset // facts.entry, []
    part = "" if facts.size >= facts.entry else f" A part of it is enough: {facts.size} of its {facts.entry} bytes."
    hit = facts.hit(names)
    said.append(f"The bytes are in guest entry {index}; its shadow is {', '.join(hit)}.{part}")
    if facts.narrow and facts.level == 2:
        said.append(
            "A 4-byte directory entry maps 4 MB and a shadow entry only 2 MB, so offsets are doubled twice and two "
            "entries in a row go."
        )
    elif facts.narrow:
        said.append("1024 entries of 4 bytes have two shadow pages of 512 entries of 8 bytes, so the offset is doubled.")
    if facts.narrow and len(facts.pages) > 1:
        said.append(
            "The code of 2007 empties that place in the page of every quadrant, also in those that don't shadow this entry."
        )
    empty = [name for name in hit if name not in gone]
    if empty:
        said.append(f"There was nothing in {', '.join(empty)}: what isn't in the shadow can't die.")
    if facts.level > 1 and gone:
        said.append("Only the link dies: the shadow page that it led to stays in the pool, and can be linked again.")
    said.append("The new value plays no part: the entry is made anew when a fault needs it.")
    return said
