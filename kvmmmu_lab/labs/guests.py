# SPDX-License-Identifier: GPL-2.0-only
"""Guests built by hand: `GuestTable` for one address, `Builder` and `small_guest` for several.

`GuestTable` is the path of one address, in which each flag of each entry can be set. `Builder` maps any addresses, even while
the guest is running. `store` stores to a table as the guest would; `neighbour` adds a second processor.
"""

from __future__ import annotations

from typing import Any

from ..draw.arguments import check_gva
from ..errors import InputError
from ..mmu import Vm, bits, checks
from ..mmu.bits import (
    ACCESSED,
    BASE_MASK,
    CR0_PE,
    CR0_PG,
    CR0_WP,
    DIRTY,
    EFER_NX,
    LARGE,
    MODES,
    NARROW,
    NX,
    PAGE_SHIFT,
    PRESENT,
    USER,
    WRITABLE,
    GuestMode,
    flag_names,
)
from ..mmu.cpu import shadow_walk

FLAGS = {flag.name: flag.mask for flag in bits.FLAGS if flag.letter}
ALL = PRESENT | WRITABLE | USER
FULL = ALL | ACCESSED | DIRTY

ROOT, DATA, BIG, DEVICE = 0x10, 0x40, 0x400, 0xFEE00
"""The gfns of the root table (the other tables follow), of a data page, of a large page, and of a device without memory."""

GVAS = {"none": DATA << PAGE_SHIFT, "32": 0x00C05000, "32 pse": 0x00C05000, "pae": 0x40605000, "64": 0x8040605000}
"""The address of a `GuestTable`, by mode."""

PRESETS = {
    "all allowed": "every entry grants every right, and the last one leads to a data page",
    "read-only page": "the last entry has no W",
    "supervisor page": "the last entry has no U",
    "not dirty": "the guest has not written to this page yet: the last entry has no D",
    "not present": "the last entry has no P",
    "upper level read-only": "the entry above the last has no W",
    "no execution": "the last entry has NX",
    "large page": "the level-2 entry has PS, so it is the last one",
    "its own page table": "the last entry leads to the page table that contains it",
    "the root table": "the last entry leads to the table in CR3",
    "device": "the last entry leads to a gfn without memory",
}
"""The tables to start from, each with a description."""


class GuestTable:
    """The guest tables for one address, ``gva``. ``frame``: the gfn in the last entry.

    ``flags[level]``: the flags of the entry at each level. ``gfns[level]``: the gfn of the table at each level.
    Without paging, ``gva`` is the address of the frame.
    """

    def __init__(self, mode: str = "64", preset: str = "all allowed") -> None:
        if mode not in MODES:
            raise InputError("mode", mode, f"one of {', '.join(MODES)}")
        self.mode = MODES[mode]
        self.flags: dict[int, int] = {}
        self.gfns = {level: ROOT + self.mode.levels - level for level in range(self.mode.levels, 0, -1)}
        self.slots = [(0, 0x100), (BIG, 0x400)]
        self.frame = DATA
        self.preset(preset)

    @property
    def gva(self) -> int:
        """The address that the tables map."""
        return GVAS[self.mode.name] if self.mode.levels else self.frame << PAGE_SHIFT

    @property
    def last(self) -> int:
        """The level of the last entry: 2 for a large page, else 1."""
        return 2 if self.mode.levels and self.mode.large_pages and self.flags[2] & LARGE else 1

    def choices(self, level: int) -> list[str]:
        """Return the names of the flags of an entry at this level."""
        return [flag.name for flag in self.mode.flags(level)]

    def presets(self) -> list[str]:
        """Return the names of the `PRESETS` that exist in this mode."""
        if not self.mode.levels:
            return ["all allowed", "device"]
        without = {"large page"} if not self.mode.large_pages else set()
        without |= {"no execution"} if self.mode.format is NARROW else set()
        without |= {"upper level read-only"} if "W" not in self.choices(2) else set()
        return [name for name in PRESETS if name not in without]

    def preset(self, name: str) -> None:
        """Set the flags and the frame to one of `PRESETS`. Raises InputError for one that doesn't exist in this mode."""
        if name not in self.presets():
            raise InputError("preset", name, f"one of {', '.join(self.presets())}")
        accessed = ALL | ACCESSED
        self.flags = {level: accessed for level in range(1, self.mode.levels + 1)}
        if self.mode.levels == 3:
            self.flags[3] = PRESENT
        frames = {"device": DEVICE, "large page": BIG, "its own page table": self.gfns.get(1), "the root table": ROOT}
        self.frame = frames.get(name) or DATA
        if not self.mode.levels:
            return
        cleared = {"read-only page": WRITABLE, "supervisor page": USER, "not dirty": DIRTY, "not present": PRESENT}
        self.flags[1] = (accessed | DIRTY) & ~cleared.get(name, 0)
        if name == "upper level read-only":
            self.flags[2] &= ~WRITABLE
        elif name == "no execution":
            self.flags[1] |= NX
        elif name == "large page":
            self.flags[2] |= LARGE | DIRTY

    def equals(self, other: GuestTable) -> bool:
        """Return whether another table has the same mode, flags and frame."""
        return (self.mode, self.flags, self.frame) == (other.mode, other.flags, other.frame)

    def set(self, level: int, flag: str, on: bool) -> None:
        """Set or clear a flag of an entry. Raises InputError for a flag that the entry doesn't have."""
        if level not in self.flags or flag not in self.choices(level):
            raise InputError("flag", flag, f"a flag of an entry at level {level} in this mode")
        self.flags[level] = self.flags[level] | FLAGS[flag] if on else self.flags[level] & ~FLAGS[flag]

    def places(self) -> dict[str, int]:
        """Return the frames that the last entry can lead to, as a dict from description to gfn."""
        tables = {"its own page table": self.gfns[1], "the root table": ROOT} if self.mode.levels else {}
        return {"a data page": DATA, **tables, "memory for a large page": BIG, "a device": DEVICE}

    def entry(self, level: int) -> int:
        """Return the entry at a level, as stored in guest memory. The frame of a large page is aligned to its size."""
        form = self.mode.format
        if level > self.last:
            return (self.gfns[level - 1] << PAGE_SHIFT) & form.base | self.flags[level]
        base = form.large_base if level == 2 else form.base
        return (self.frame << PAGE_SHIFT) & base | self.flags[level]

    def entry_gpa(self, level: int) -> int:
        """Return the guest physical address of the entry at a level."""
        return self.gfns[level] << PAGE_SHIFT | self.index(level) * self.mode.format.size

    def index(self, level: int) -> int:
        """Return the index of the entry at a level in its table."""
        return _index(self.mode, GVAS[self.mode.name], level)

    def vm(self, wp: bool = True, nx: bool = True, **parts: Any) -> Vm:
        """Return a VM with these guest tables and an empty shadow. ``wp``: CR0.WP; ``nx``: EFER.NX.

        Raises InputError if loading CR3 causes a #GP in the guest, for instance because a PDPTE has W or U.
        """
        checks.gfn(self.frame)
        vm = Vm(self.slots, **parts)
        for level in range(self.mode.levels, 0, -1):
            vm.poke(self.entry_gpa(level), self.entry(level), self.mode.format.size)
        if not self.mode.levels:
            return vm
        cr0 = CR0_PE | (wp and CR0_WP)
        vm.set_registers(cr0, self.gfns[self.mode.levels] << PAGE_SHIFT, self.mode.cr4, self.mode.efer | (nx and EFER_NX))
        if not vm.load_cr0(cr0 | CR0_PG):
            raise InputError("entry", self.entry(3), "a PDPTE without W and U: otherwise loading CR3 causes a #GP in the guest")
        return vm

    def __str__(self) -> str:
        if not self.mode.levels:
            return f"{self.mode.title}: gva = gpa = {self.gva:#x}"
        lines = [f"{self.mode.title}, the path of {self.gva:#x}:"]
        for level in range(self.mode.levels, self.last - 1, -1):
            flags = flag_names(self.flags[level])
            target = (self.entry(level) & self.mode.format.base) >> PAGE_SHIFT
            lines.append(f"  level {level}, gfn {self.gfns[level]:#x}:{self.index(level):<3} {flags:<17} -> gfn {target:#x}")
        return "\n".join(lines)


def _index(mode: GuestMode, gva: int, level: int) -> int:
    """Return the index of gva's entry in its table at a level; level 3 in PAE mode has only four entries, the PDPTEs."""
    return gva >> 30 & 3 if level == 3 == mode.levels else mode.format.index(gva, level)


def paging_mode(name: str) -> GuestMode:
    """Return the paging mode of this name. Raises InputError for any other name."""
    if name not in MODES or not MODES[name].levels:
        raise InputError("mode", name, "a paging mode: 32, 32 pse, pae or 64")
    return MODES[name]


class Builder:
    """A guest in a paging mode. Its tables and frames are allocated from gfn 0x10 upwards.

    `start` turns paging on. `map` writes to guest memory without the MMU, so use it only for entries from which no shadow
    entry was made; use `edit` for all others. Raises InputError for a mode that isn't a paging mode.
    """

    def __init__(self, mode: str = "64", frames: int = 0x100, **parts: Any) -> None:
        self.mode, self.next = paging_mode(mode), ROOT
        self.vm = Vm([(0, frames), (max(BIG, frames), 0x400)], **parts)
        self.root = self.frame()
        if self.mode.levels == 3:
            for index in range(4):
                self.vm.poke(self.root << PAGE_SHIFT | 8 * index, self.frame() << PAGE_SHIFT | PRESENT)

    def start(self) -> Vm:
        """Turn paging on, and return the VM."""
        cr0 = CR0_PE | CR0_WP | CR0_PG
        self.vm.set_registers(cr0, self.root << PAGE_SHIFT, self.mode.cr4, self.mode.efer | EFER_NX)
        return self.vm

    def frame(self) -> int:
        """Allocate a frame, and return its gfn."""
        self.next += 1
        return self.next - 1

    def entry_gpa(self, gva: int, level: int = 1) -> int:
        """Return the guest physical address of gva's entry at a level."""
        table, at, size = self.root, self.mode.levels, self.mode.format.size
        while True:
            gpa = table << PAGE_SHIFT | _index(self.mode, gva, at) * size
            if at == level:
                return gpa
            table = (self.vm.peek(gpa, size) & BASE_MASK) >> PAGE_SHIFT
            at -= 1

    def table(self, gva: int, level: int = 1) -> int:
        """Return the gfn of gva's table at a level."""
        return self.entry_gpa(gva, level) >> PAGE_SHIFT

    def map(self, gva: int, gfn: int | None = None, flags: int = FULL, large: bool = False) -> int:
        """Map gva to gfn (or to a new frame), and add missing tables. Return the gfn."""
        last, size = 2 if large else 1, self.mode.format.size
        gfn = self.frame() if gfn is None else gfn
        for level in range(self.mode.levels, last, -1):
            gpa = self.entry_gpa(gva, level)
            if not self.vm.peek(gpa, size) & PRESENT:
                self.vm.poke(gpa, self.frame() << PAGE_SHIFT | FULL & ~DIRTY, size)
        self.vm.poke(self.entry_gpa(gva, last), gfn << PAGE_SHIFT | flags | (LARGE if large else 0), size)
        return gfn

    def edit(self, gva: int, entry: int) -> None:
        """Store ``entry`` as the last-level entry for gva, as the guest would (see `store`)."""
        store(self.vm, self.entry_gpa(gva), entry, self.mode.format.size)


def small_guest(mode: str, *gvas: int, **parts: Any) -> Builder:
    """Return a running guest ("64", "pae", "32" or "32 pse") that maps the given addresses and has accessed each once.

    ``vm`` of the result is the VM; ``entry_gpa(gva, level)`` returns the gpa of an entry, ``table(gva, level)`` the gfn of a
    table; ``map(gva)`` maps another address. ``parts`` are passed to the VM. Raises InputError for an invalid argument.

    >>> guest = small_guest("64", 0x1000, 0x2000)
    >>> hex(guest.entry_gpa(0x2000)), guest.vm.access(0x2000).faults
    ('0x14010', 0)
    """
    guest = Builder(mode, **parts)
    for gva in gvas:
        guest.map(gva)
    vm = guest.start()
    for gva in gvas:
        vm.access(gva, user=True)
    return guest


def store(vm: Vm, gpa: int, value: int, size: int) -> bool:
    """Store ``value`` to a guest table, as the guest would. Return whether the host emulates the store.

    It does if the frame is a shadowed table, since no shadow entry allows writing there. Otherwise the guest writes directly,
    and the host doesn't notice.
    """
    if vm.pool.lookup(gpa >> PAGE_SHIFT) is None:
        vm.poke(gpa, value, size)
        return False
    vm.emulate_write_gpa(gpa, value, size)
    return True


def neighbour(vm: Vm, gva: int) -> None:
    """Add a second processor to the guest, which writes to ``gva`` all the time. Raises InputError for an invalid address.

    It has a TLB (``vm.tlb``), and it walks the shadow immediately after each flush, so it caches the shadow entries as they
    are then. In KVM 2.6.22 a guest has only one processor; this shows what a second one would do.
    """
    check_gva(vm, gva)
    vm.tlb = {}
    flush = vm.flush_tlb

    def flush_and_walk() -> None:
        flush()
        shadow_walk(vm, gva, True, False, False)

    vm.flush_tlb = flush_and_walk  # type: ignore[method-assign]
