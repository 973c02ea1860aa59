# SPDX-License-Identifier: GPL-2.0-only
"""Little guests with several mappings, put together by hand, for the labs about writes, reverse maps and the pool."""

from __future__ import annotations

from typing import Any

from ..errors import InputError
from ..mmu import Vm
from ..mmu.bits import ACCESSED, BASE_MASK, CR0_PE, CR0_PG, CR0_WP, DIRTY, EFER_NX, LARGE, PAGE_SHIFT, PRESENT
from .tables import ALL, BIG, MODES, Mode

FULL = ALL | ACCESSED | DIRTY
ON = CR0_PE | CR0_WP | CR0_PG
FIRST = 0x10


def paging_mode(name: str) -> Mode:
    """The mode of this name. Raises InputError for one without paging, or none at all."""
    if name not in MODES or not MODES[name].levels:
        raise InputError("mode", name, "a paging mode: 32, 32 pse, pae or 64")
    return MODES[name]


class Builder:
    """A running guest in a paging mode. Tables and frames are taken from gfn 0x10 up.

    `map` writes into guest memory behind the MMU's back, so it is for entries that no shadow has seen; `edit` goes the
    proper way.
    """

    def __init__(self, mode: str = "64", frames: int = 0x100, **parts: Any) -> None:
        self.mode, self.next = paging_mode(mode), FIRST
        self.vm = Vm([(0, frames), (max(BIG, frames), 0x400)], **parts)
        self.root = self.frame()
        if self.mode.levels == 3:
            for index in range(4):
                self.vm.poke(self.root << PAGE_SHIFT | 8 * index, self.frame() << PAGE_SHIFT | PRESENT)

    def start(self) -> Vm:
        """Turn paging on."""
        self.vm.set_registers(ON, self.root << PAGE_SHIFT, self.mode.cr4, self.mode.efer | EFER_NX)
        return self.vm

    def frame(self) -> int:
        """A frame that nobody used yet."""
        self.next += 1
        return self.next - 1

    def entry_gpa(self, gva: int, level: int = 1) -> int:
        """Where the guest keeps gva's entry of that level."""
        table, at, form = self.root, self.mode.levels, self.mode.form
        while True:
            index = gva >> 30 & 3 if at == 3 == self.mode.levels else form.index(gva, at)
            gpa = table << PAGE_SHIFT | index * form.size
            if at == level:
                return gpa
            table = (self.vm.peek(gpa, form.size) & BASE_MASK) >> PAGE_SHIFT
            at -= 1

    def table(self, gva: int, level: int = 1) -> int:
        """The gfn of gva's table of that level."""
        return self.entry_gpa(gva, level) >> PAGE_SHIFT

    def map(self, gva: int, gfn: int | None = None, flags: int = FULL, large: bool = False) -> int:
        """Map gva to gfn (a new frame if none is given), and make the tables that are missing. Returns the gfn."""
        last, size = 2 if large else 1, self.mode.form.size
        gfn = self.frame() if gfn is None else gfn
        for level in range(self.mode.levels, last, -1):
            gpa = self.entry_gpa(gva, level)
            if not self.vm.peek(gpa, size) & PRESENT:
                self.vm.poke(gpa, self.frame() << PAGE_SHIFT | FULL & ~DIRTY, size)
        self.vm.poke(self.entry_gpa(gva, last), gfn << PAGE_SHIFT | flags | (LARGE if large else 0), size)
        return gfn

    def edit(self, gva: int, entry: int) -> None:
        """The guest writes its last entry for gva: by way of the host where the table is shadowed, else at once."""
        store(self.vm, self.entry_gpa(gva), entry, self.mode.form.size)


def store(vm: Vm, gpa: int, value: int, size: int) -> bool:
    """What becomes of a guest's store to its own tables; whether the host noticed.

    Where the frame is a shadowed table no shadow entry allows writing, so the host carries the store out. Elsewhere the
    guest writes and nobody looks.
    """
    if vm.pool.lookup(gpa >> PAGE_SHIFT) is None:
        vm.poke(gpa, value, size)
        return False
    vm.emulate_write_gpa(gpa, value, size)
    return True
