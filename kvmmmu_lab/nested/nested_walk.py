# SPDX-License-Identifier: GPL-2.0-only
"""A machine with nested paging, and the two-dimensional walk of its processor, reference by reference.

The guest's tables translate a gva to a gpa; their entries contain gfns. The host's tables translate a gpa to an hpa (Intel
calls them EPT, AMD NPT). The processor reads a guest table in host memory, so first it translates the table's gpa, with a walk
of the host's tables. It does this once for each guest table, and once more for the data::

    for each level of the guest:   host walk (m references), then the guest's entry (1 reference)
    for the data:                  host walk (m references)

With n levels in the guest and m in the host these are n * (m + 1) + m references. There are no caches here; real processors
have several.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from ..errors import InputError
from ..mmu.bits import PAGE_SHIFT

MOST_LEVELS = 5
INDEX_BITS = 9

DATA = 0
"""The column of the data, after the guest's tables, whose columns are their levels."""

GUEST_ENTRY = 0
"""The row of a guest's entry, after the host's walk, whose rows are the levels of the host's tables."""


@dataclass(frozen=True)
class EntryRead:
    """One entry that the processor reads.

    ``column``: the level of the guest table whose address is translated, or whose entry is read; `DATA` for the data. ``row``:
    the level of the host's table, or `GUEST_ENTRY`. ``hfn``: the frame of the table in host memory; ``index``: the entry's
    place in it; ``target``: the frame in the entry, a gfn in a guest's entry and an hfn in a host's; None if there is no entry.
    """

    number: int
    column: int
    row: int
    hfn: int
    index: int
    target: int | None


@dataclass(frozen=True)
class NestedWalk:
    """The walk of one address. ``gfns``: the guest frame of each column. ``hfn``: the frame that is reached, or None.

    ``missing``: the gfn that the host's tables don't map, or None. The guest then exits, with an EPT violation.
    """

    gva: int
    guest_levels: int
    host_levels: int
    references: tuple[EntryRead, ...]
    gfns: dict[int, int]
    hfn: int | None
    missing: int | None = None


class NestedMachine:
    """A guest with tables of ``guest_levels`` levels, on a host with tables of ``host_levels`` levels.

    ``host_levels`` of 0: there is no host, and the guest's frames are those of the machine. Frames are placed by chance, from
    the ``seed``. ``lazy``: whether the host's tables are empty at first, and filled when the guest exits. ``large``: whether a
    host's entry at level 2 maps 2 MB, so that the walk ends there. ``violations``: how often the guest has exited.
    """

    def __init__(
        self, guest_levels: int = 4, host_levels: int = 4, seed: int = 0, *, lazy: bool = False, large: bool = False
    ) -> None:
        for name, value, least in (("guest_levels", guest_levels, 1), ("host_levels", host_levels, 0)):
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MOST_LEVELS:
                raise InputError(name, value, f"a number of levels, from {least} to {MOST_LEVELS}")
        if large and host_levels < 2:
            raise InputError("large", large, "False: large pages need at least two levels in the host")
        self.guest_levels, self.host_levels, self.lazy, self.large = guest_levels, host_levels, lazy, large
        self.chance = random.Random(seed)
        self.memory: dict[int, dict[int, int]] = {}
        """The tables in host memory: by hfn, the frames in their entries by index."""
        self.backing: dict[int, int] = {}
        """The hfn of each gfn that the guest uses."""
        self.used: set[int] = set()
        self.violations = 0
        self.host_root = self._host_frame() if host_levels else 0
        self.guest_root = self._guest_frame()

    # Tables

    def map(self, gva: int) -> None:
        """Map an address to a new frame of the guest, and add missing tables."""
        gfn = self.guest_root
        for level in range(self.guest_levels, 0, -1):
            table = self.memory.setdefault(self.backing[gfn], {})
            index = self.index(gva >> PAGE_SHIFT, level)
            if index not in table:
                table[index] = self._guest_frame()
            gfn = table[index]

    def change(self, gva: int, other: int | None = None) -> None:
        """Let the guest's kernel change the last entry of an address, to a new frame or to that of another address."""
        table, index = self._last_entry(gva)
        if other is None:
            table[index] = self._guest_frame()
        else:
            of_other, at = self._last_entry(other)
            table[index] = of_other[at]

    def _last_entry(self, gva: int) -> tuple[dict[int, int], int]:
        """Return the guest's page table that maps an address, and the index of the entry. Raises InputError if none does."""
        page, table = gva >> PAGE_SHIFT, self.memory.get(self.backing[self.guest_root], {})
        for level in range(self.guest_levels, 1, -1):
            gfn = table.get(self.index(page, level))
            table = {} if gfn is None else self.memory.get(self.backing[gfn], {})
        index = self.index(page, 1)
        if index not in table:
            raise InputError("gva", gva, "an address that was mapped")
        return table, index

    @staticmethod
    def index(page: int, level: int) -> int:
        """Return the index of a page (a gva or gpa without its offset) in a table of this level."""
        return page >> INDEX_BITS * (level - 1) & (1 << INDEX_BITS) - 1

    def _frame(self) -> int:
        """Return a frame number that is not used yet."""
        while True:
            number = self.chance.randrange(0x10, 0x1000)
            if number not in self.used:
                self.used.add(number)
                return number

    def _host_frame(self) -> int:
        hfn = self._frame()
        self.memory[hfn] = {}
        return hfn

    def _guest_frame(self) -> int:
        gfn = self._frame()
        self.backing[gfn] = self._frame() if self.host_levels else gfn
        if self.host_levels and not self.lazy:
            self._fill(gfn)
        return gfn

    def _fill(self, gfn: int) -> None:
        """Make the host's entries for a gfn."""
        hfn = self.host_root
        last = 2 if self.large else 1
        for level in range(self.host_levels, last, -1):
            table, index = self.memory[hfn], self.index(gfn, level)
            if index not in table:
                table[index] = self._host_frame()
            hfn = table[index]
        self.memory[hfn].setdefault(self.index(gfn, last), self.backing[gfn])

    # The processor

    def walk(self, gva: int) -> NestedWalk:
        """Return the walk of an address. Raises InputError for an address that the guest doesn't map."""
        references, gfns, gfn = list[EntryRead](), dict[int, int](), self.guest_root
        for column in range(self.guest_levels, DATA - 1, -1):
            gfns[column] = gfn
            hfn = self._translate(gfn, column, references)
            if hfn is None or column == DATA:
                missing = gfn if hfn is None else None
                return NestedWalk(gva, self.guest_levels, self.host_levels, tuple(references), gfns, hfn, missing)
            index = self.index(gva >> PAGE_SHIFT, column)
            target = self.memory.get(hfn, {}).get(index)
            references.append(EntryRead(len(references) + 1, column, GUEST_ENTRY, hfn, index, target))
            if target is None:
                raise InputError("gva", gva, "an address that was mapped")
            gfn = target
        raise AssertionError(gva)

    def _translate(self, gfn: int, column: int, references: list[EntryRead]) -> int | None:
        """Walk the host's tables for a gfn, and add what is read. Return the hfn, or None if an entry is missing."""
        if not self.host_levels:
            return gfn
        hfn: int | None = self.host_root
        for level in range(self.host_levels, 1 if self.large else 0, -1):
            assert hfn is not None
            table, index = hfn, self.index(gfn, level)
            hfn = self.memory[table].get(index)
            references.append(EntryRead(len(references) + 1, column, level, table, index, hfn))
            if hfn is None:
                return None
        return self.backing[gfn] if self.large else hfn

    def access(self, gva: int) -> int:
        """Access an address. The host fills its tables at each exit. Return the number of exits."""
        before = self.violations
        while (missing := self.walk(gva).missing) is not None:
            self.violations += 1
            self._fill(missing)
        return self.violations - before
