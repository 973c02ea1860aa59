# SPDX-License-Identifier: GPL-2.0-only
"""A guest's table to be written to: its entries, and the shadow entries that were made from them."""

from __future__ import annotations

from dataclasses import dataclass

from ..draw.rows import LEVELS
from ..mmu.bits import PAGE_SHIFT, PAGE_SIZE, PRESENT, guest_format
from ..mmu.machine import Machine
from ..mmu.pool import ShadowPage
from ..mmu.shadow import entries_with
from ..read.entries import flags, guest_target, shadow_target
from ..read.names import Names
from .reached import in_shadow, pages_of

MOST = 16
"""So many entries of a table are offered; the tables of the prepared guests have fewer."""


def shadowed_tables(vm: Machine) -> dict[int, int]:
    """Level by gfn of all tables that are shadowed now, in the guest's present mode."""
    pages = [page for page in vm.pool.active if not page.metaphysical and page.glevels == vm.root_level]
    return {page.gfn: page.level for page in sorted(pages, key=lambda page: (page.level, page.gfn))}


def says(vm: Machine, spte: int) -> str:
    """What a shadow entry says."""
    value = vm.memory.words[spte]
    return f"{flags(value)} {shadow_target(vm, value)}"


@dataclass(frozen=True)
class Table:
    """A guest's table: where it stands, and at which level. All else is read when it is asked for, from a dead VM too."""

    vm: Machine
    gfn: int
    level: int

    @property
    def shadowed(self) -> bool:
        """Whether something shadows it."""
        return bool(self.pages())

    @property
    def name(self) -> str:
        """Its level and place."""
        return f"{LEVELS[self.level]} in gfn {self.gfn:#x}"

    def __str__(self) -> str:
        return self.name + ("" if self.shadowed else " (not shadowed)")

    def pages(self) -> list[ShadowPage]:
        """Its shadow pages."""
        return pages_of(self.vm, self.gfn)

    def candidates(self) -> dict[str, int]:
        """The shadow entries that were made from it, by name."""
        names = Names(self.vm)
        return {names.spte(spte): spte for page in self.pages() for spte in entries_with(self.vm, page)}

    def value(self, offset: int, size: int) -> int:
        """What it holds there."""
        memory = self.vm.memory
        hpa = (memory.frames[self.gfn] or 0) << PAGE_SHIFT | offset
        return int.from_bytes(memory.bytes[hpa : hpa + size], "little")

    def moved(self, offset: int, size: int) -> int:
        """A value to write there: what is there, with the frame next door where the bytes hold it."""
        value = self.value(offset, size)
        return value ^ 1 << PAGE_SHIFT if size > 1 and value & PRESENT else value ^ 1

    def entries(self) -> list[tuple[int, str]]:
        """The entries that aren't empty, those in the shadow first of all: (offset, what it says)."""
        size = guest_format(self.vm.root_level).size
        values = {offset: self.value(offset, size) for offset in range(0, PAGE_SIZE, size)}
        full = [offset for offset in values if values[offset]]
        chosen = sorted(sorted(full, key=lambda offset: not in_shadow(self.vm, self.gfn, offset // size))[:MOST])
        return [(offset, f"entry {offset // size} at {offset:#x}: {self._says(values[offset])}") for offset in chosen]

    def _says(self, entry: int) -> str:
        return f"{flags(entry)} {guest_target(self.vm, self.level, entry)}"
