# SPDX-License-Identifier: GPL-2.0-only
"""Guests that are built by hand: `GuestTable` for one address, `Builder` and `small_guest` for several.

`GuestTable` is the path of one address, with each flag of each entry to choose. `Builder` maps any addresses in a running
guest. `store` is a store of the guest to its own tables, `neighbour` a second processor.
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
"""gfns: of the root table (the other tables follow), of a data page, of a large page, and of a device without memory."""

GVAS = {"none": DATA << PAGE_SHIFT, "32": 0x00C05000, "32 pse": 0x00C05000, "pae": 0x40605000, "64": 0x8040605000}
"""By mode, the address of a `GuestTable`."""

PRESETS = {
    "all allowed": "every right at every level, and a data page at the end",
    "read-only page": "the last entry has no W",
    "supervisor page": "the last entry has no U",
    "not dirty": "the guest has not written this page yet: the last entry has no D",
    "not present": "the last entry has no P",
    "upper level read-only": "the entry above the last has no W",
    "no execution": "the last entry has NX",
    "large page": "the level-2 entry is the last one, with PS",
    "its own page table": "the last entry leads to the page table that holds it",
    "the root table": "the last entry leads to the table in CR3",
    "device": "the last entry leads to a gfn without memory",
}
"""Tables to begin with, by name, and what is special about them."""


class GuestTable:
    """The guest tables for one address, ``gva``: ``flags[level]`` of each entry, and the ``frame`` (a gfn) at the end.

    ``gfns[level]``: the gfn of the table of a level. Without paging, ``gva`` is the address of the frame.
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
        """The address whose path this is."""
        return GVAS[self.mode.name] if self.mode.levels else self.frame << PAGE_SHIFT

    @property
    def last(self) -> int:
        """The level of the last entry: 2 for a large page, else 1."""
        return 2 if self.mode.levels and self.mode.large_pages and self.flags[2] & LARGE else 1

    def choices(self, level: int) -> list[str]:
        """The names of the flags that an entry of this level has."""
        return [flag.name for flag in self.mode.flags(level)]

    def presets(self) -> list[str]:
        """The names of the `PRESETS` that this mode has."""
        if not self.mode.levels:
            return ["all allowed", "device"]
        without = {"large page"} if not self.mode.large_pages else set()
        without |= {"no execution"} if self.mode.format is NARROW else set()
        without |= {"upper level read-only"} if "W" not in self.choices(2) else set()
        return [name for name in PRESETS if name not in without]

    def preset(self, name: str) -> None:
        """Set flags and frame to one of `PRESETS`. Raises InputError for one that this mode doesn't have."""
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

    def set(self, level: int, flag: str, on: bool) -> None:
        """Set or clear a flag of an entry. Raises InputError for a flag that the entry doesn't have."""
        if level not in self.flags or flag not in self.choices(level):
            raise InputError("flag", flag, f"a flag that an entry of level {level} has in this mode")
        self.flags[level] = self.flags[level] | FLAGS[flag] if on else self.flags[level] & ~FLAGS[flag]

    def places(self) -> dict[str, int]:
        """The frames that the last entry can lead to: what they hold, and their gfn."""
        tables = {"its own page table": self.gfns[1], "the root table": ROOT} if self.mode.levels else {}
        return {"a data page": DATA, **tables, "memory for a large page": BIG, "a device": DEVICE}

    def entry(self, level: int) -> int:
        """The entry of a level, as it is in guest memory. The frame of a large page is rounded down to its size."""
        form = self.mode.format
        if level > self.last:
            return (self.gfns[level - 1] << PAGE_SHIFT) & form.base | self.flags[level]
        base = form.large_base if level == 2 else form.base
        return (self.frame << PAGE_SHIFT) & base | self.flags[level]

    def entry_gpa(self, level: int) -> int:
        """The guest address of that entry."""
        return self.gfns[level] << PAGE_SHIFT | self.index(level) * self.mode.format.size

    def index(self, level: int) -> int:
        """The index of that entry in its table."""
        return _index(self.mode, GVAS[self.mode.name], level)

    def vm(self, wp: bool = True, nx: bool = True, **parts: Any) -> Vm:
        """A VM with these guest tables, whose shadow is still empty. ``wp``: CR0.WP; ``nx``: EFER.NX.

        Raises InputError if loading CR3 gives the guest a #GP, as with W or U in a PDPTE.
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
            raise InputError(
                "entry", self.entry(3), "a PDPTE without W and U: otherwise the guest gets a #GP when it loads CR3"
            )
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
    """The index of gva's entry in its level-``level`` table; of the four PDPTEs in PAE mode."""
    return gva >> 30 & 3 if level == 3 == mode.levels else mode.format.index(gva, level)


def paging_mode(name: str) -> GuestMode:
    """The mode of this name. Raises InputError for no paging, and for unknown names."""
    if name not in MODES or not MODES[name].levels:
        raise InputError("mode", name, "a paging mode: 32, 32 pse, pae or 64")
    return MODES[name]


class Builder:
    """A guest in a paging mode. Its tables and frames are taken from gfn 0x10 upwards.

    `start` turns paging on. `map` writes to guest memory without the MMU, so use it for entries that no shadow entry was
    made from; use `edit` for all others. Raises InputError for a mode that isn't one.
    """

    def __init__(self, mode: str = "64", frames: int = 0x100, **parts: Any) -> None:
        self.mode, self.next = paging_mode(mode), ROOT
        self.vm = Vm([(0, frames), (max(BIG, frames), 0x400)], **parts)
        self.root = self.frame()
        if self.mode.levels == 3:
            for index in range(4):
                self.vm.poke(self.root << PAGE_SHIFT | 8 * index, self.frame() << PAGE_SHIFT | PRESENT)

    def start(self) -> Vm:
        """Turn paging on."""
        cr0 = CR0_PE | CR0_WP | CR0_PG
        self.vm.set_registers(cr0, self.root << PAGE_SHIFT, self.mode.cr4, self.mode.efer | EFER_NX)
        return self.vm

    def frame(self) -> int:
        """The gfn of a frame that isn't in use yet."""
        self.next += 1
        return self.next - 1

    def entry_gpa(self, gva: int, level: int = 1) -> int:
        """The guest address of gva's entry of that level."""
        table, at, size = self.root, self.mode.levels, self.mode.format.size
        while True:
            gpa = table << PAGE_SHIFT | _index(self.mode, gva, at) * size
            if at == level:
                return gpa
            table = (self.vm.peek(gpa, size) & BASE_MASK) >> PAGE_SHIFT
            at -= 1

    def table(self, gva: int, level: int = 1) -> int:
        """The gfn of gva's table of that level."""
        return self.entry_gpa(gva, level) >> PAGE_SHIFT

    def map(self, gva: int, gfn: int | None = None, flags: int = FULL, large: bool = False) -> int:
        """Map gva to gfn (a new frame, if it is None) and add missing tables. Returns the gfn."""
        last, size = 2 if large else 1, self.mode.format.size
        gfn = self.frame() if gfn is None else gfn
        for level in range(self.mode.levels, last, -1):
            gpa = self.entry_gpa(gva, level)
            if not self.vm.peek(gpa, size) & PRESENT:
                self.vm.poke(gpa, self.frame() << PAGE_SHIFT | FULL & ~DIRTY, size)
        self.vm.poke(self.entry_gpa(gva, last), gfn << PAGE_SHIFT | flags | (LARGE if large else 0), size)
        return gfn

    def edit(self, gva: int, entry: int) -> None:
        """The guest stores ``entry`` as its last entry for gva (see `store`)."""
        store(self.vm, self.entry_gpa(gva), entry, self.mode.format.size)


def small_guest(mode: str, *gvas: int, **parts: Any) -> Builder:
    """A running guest ("64", "pae", "32" or "32 pse") that maps these addresses and has accessed each of them once.

    ``vm`` of the result is the VM; ``entry_gpa(gva, level)`` is the guest address of an entry, ``table(gva, level)`` the gfn
    of a table; ``map(gva)`` maps another address. ``parts`` go into the VM. Raises InputError.

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
    """The guest stores ``value`` to one of its tables. Returns whether the host emulates the store.

    It does so if the frame is a shadowed table, since no shadow entry allows writing there. Otherwise the guest writes
    directly, and the host doesn't notice.
    """
    if vm.pool.lookup(gpa >> PAGE_SHIFT) is None:
        vm.poke(gpa, value, size)
        return False
    vm.emulate_write_gpa(gpa, value, size)
    return True


def neighbour(vm: Vm, gva: int) -> None:
    """Add a second processor to the guest, which writes at ``gva`` all the time. Raises InputError.

    It has a TLB (``vm.tlb``), and it walks the shadow immediately after each flush, so it caches what the shadow says at
    that moment. In KVM of 2.6.22 a guest has only one processor; this shows what a second one would do.
    """
    check_gva(vm, gva)
    vm.tlb = {}
    flush = vm.flush_tlb

    def flush_and_walk() -> None:
        flush()
        shadow_walk(vm, gva, True, False, False)

    vm.flush_tlb = flush_and_walk  # type: ignore[method-assign]
