# SPDX-License-Identifier: GPL-2.0-only
"""Small guests of every mode, made by hand, and an oracle that computes where an access has to end.

Only `Vm` is used from the engine. The bits and the arithmetic are defined here again, from the processor's manual, so that a
mistake in the engine's definitions can't go unnoticed.
"""

from dataclasses import dataclass

import numpy as np

from kvmmmu_lab import Vm
from kvmmmu_lab.inspect.dump import state

P, W, U, A, D, PS, G, NX = 1, 2, 4, 0x20, 0x40, 0x80, 0x100, 1 << 63
ALL = P | W | U
PE, WP, PG = 1, 1 << 16, 1 << 31
PSE, PAE = 1 << 4, 1 << 5
LME, LMA, NXE = 1 << 8, 1 << 10, 1 << 11
ON = PG | WP | PE
FRAME = 0x000FFFFFFFFFF000

FIRST = 256 << 9
"""The spte that is ref 0 in state(): the first entry of the first shadow page, which is host frame 256."""

SHADOW_W, SHADOW_U, IO = 1 << 10, 1 << 11, 1 << 9


@dataclass(frozen=True)
class Mode:
    """The tables of a guest: ``levels`` levels, entries of ``size`` bytes, ``bits`` index bits per level."""

    levels: int
    size: int
    bits: int
    cr4: int
    efer: int

    def index(self, gva, level):
        return (gva >> (12 + self.bits * (level - 1))) & ((1 << self.bits) - 1)


MODES = {
    "32": Mode(2, 4, 10, PSE, 0),
    "pae": Mode(3, 8, 9, PAE, NXE),
    "64": Mode(4, 8, 9, PAE, LME | NXE),
}
PAGED = list(MODES)


class Guest:
    """A running guest. ``vm`` is the VM, ``root`` the gfn in CR3 (of a PAE guest: the frame with its four PDPTEs).

    Tables and frames are allocated from gfn 0x10 up. `map` writes to guest memory directly, bypassing the MMU, so it
    is for entries without a shadow. `edit` writes through the MMU.
    """

    def __init__(self, mode="64", slots=((0, 0x200),), cr0=ON, **options):
        self.mode, self.mode_name = MODES[mode], mode
        self.vm = Vm(slots, **options)
        self.next = 0x10
        self.root = self.frame()
        if mode == "pae":
            for i in range(4):
                self.vm.poke((self.root << 12) | (8 * i), (self.frame() << 12) | P)
        self.start(cr0)

    def start(self, cr0=ON, root=None, **registers):
        registers = {"cr4": self.mode.cr4, "efer": self.mode.efer, **registers}
        self.vm.set_registers(cr0, (self.root if root is None else root) << 12, **registers)

    def frame(self):
        self.next += 1
        return self.next - 1

    def entry_gpa(self, gva, level=1, root=None):
        """The gpa of gva's entry of this level."""
        table, at = self.root if root is None else root, self.mode.levels
        while True:
            index = (gva >> 30) & 3 if at == 3 == self.mode.levels else self.mode.index(gva, at)
            gpa = (table << 12) | (index * self.mode.size)
            if at == level:
                return gpa
            table = (self.read(gpa) & FRAME) >> 12
            at -= 1

    def read(self, gpa):
        return self.vm.peek(gpa, self.mode.size)

    def entry(self, gva, level=1):
        return self.read(self.entry_gpa(gva, level))

    def map(self, gva, gfn=None, flags=ALL, upper=ALL, large=False, table=None, root=None):
        """Map gva to gfn (by default a new frame); missing tables are made with rights ``upper``.

        ``table``: use this gfn as the last table. ``large``: the level-2 entry is the last one.
        """
        gfn = self.frame() if gfn is None else gfn
        last = 2 if large else 1
        for level in range(self.mode.levels, last, -1):
            gpa = self.entry_gpa(gva, level, root)
            if not self.read(gpa) & P:
                below = table if table is not None and level == last + 1 else self.frame()
                self.vm.poke(gpa, (below << 12) | upper, self.mode.size)
        self.vm.poke(self.entry_gpa(gva, last, root), (gfn << 12) | flags | (PS if large else 0), self.mode.size)
        return gfn

    def edit(self, gva, entry, level=1):
        """Let the guest write one of its entries; the host emulates the write."""
        assert self.vm.emulate_write_gpa(self.entry_gpa(gva, level), entry, self.mode.size)

    def table_gfn(self, gva, level=1):
        return self.entry_gpa(gva, level) >> 12


def unalias(vm, gfn):
    for alias in vm.memory.aliases:
        if alias is not None and 0 <= gfn - alias.base < alias.npages:
            return alias.target + gfn - alias.base
    return gfn


def in_ram(vm, gfn):
    gfn = unalias(vm, gfn)
    return any(slot.base <= gfn < slot.base + slot.npages for slot in vm.memory.slots)


@dataclass(frozen=True)
class Reach:
    """Where an access ends: at ``gpa``, or in a fault of the guest with ``error``. ``tables``: the gfns of the tables on
    its path."""

    gpa: int | None
    error: int | None
    tables: tuple = ()


def oracle(vm, gva, write=False, user=False, fetch=False):
    """Walk the guest's tables as its processor would, but change nothing.

    Rights are ANDed over all levels and compared at the end, as in the manual. The error code reports a fetch even if
    EFER.NX is off, as KVM did in 2007.
    """
    cpu = vm.cpu
    if not cpu.cr0 & PG:
        return Reach(gva, None)
    name = "64" if cpu.efer & LME else "pae" if cpu.cr4 & PAE else "32"
    mode, code = MODES[name], (write << 1) | (user << 2) | (fetch << 4)
    level, table = mode.levels, (cpu.cr3 & FRAME) >> 12
    if name == "pae":
        pdpte = cpu.pdptrs[(gva >> 30) & 3]
        if not pdpte & P:
            return Reach(None, code)
        level, table = 2, (pdpte & FRAME) >> 12
    rights, no_execute, tables = W | U, False, []
    while True:
        tables.append(table)
        gpa = (table << 12) | (mode.index(gva, level) * mode.size)
        entry = vm.peek(gpa, mode.size) if in_ram(vm, table) else 0
        if not entry & P:
            return Reach(None, code, tuple(tables))
        rights &= entry
        no_execute |= bool(entry & NX and cpu.efer & NXE)
        table = (entry & FRAME) >> 12
        if level == 1 or (level == 2 and entry & PS and (name != "32" or cpu.cr4 & PSE)):
            break
        level -= 1
    if level == 2:
        pages = 1 << mode.bits
        table = table // pages * pages + mode.index(gva, 1)
    denied = (
        (write and not rights & W and (user or cpu.cr0 & WP)) or (user and not rights & U) or (fetch and no_execute)
    )
    return Reach(None, code | 1, tuple(tables)) if denied else Reach((table << 12) | (gva & 0xFFF), None, tuple(tables))


def everything(vm):
    """The whole VM, byte for byte, to check that nothing has changed. Pages of zeroes, which are most of them, are left out."""
    pages = vm.memory.pages
    used = np.flatnonzero(pages.any(axis=1))
    return state(vm), len(pages), used.tobytes(), pages[used].tobytes()


def leaves(vm):
    """The level-1 shadow entries: {(page id, index): (flags, kind, target)}."""
    return {
        (id, index): (flags, kind, target)
        for id, level in _levels(vm).items()
        if level == 1
        for index, flags, kind, target in _entries(vm).get(id, [])
    }


def leaf(vm):
    """The only level-1 shadow entry, as (flags, kind, target)."""
    ((_, entry),) = leaves(vm).items()
    return entry


def shadows(vm, gfn):
    """Ids of the shadow pages of the guest table in gfn, ascending."""
    return sorted(id for id, of, role, *_ in state(vm)["pages"] if of == gfn and not (role >> 16) & 1)


def _levels(vm):
    return {id: (role >> 4) & 15 for id, _, role, *_ in state(vm)["pages"]}


def _entries(vm):
    return dict(map(tuple, state(vm)["sptes"]))


def kinds(complaints):
    return [complaint.audit for complaint in complaints]
