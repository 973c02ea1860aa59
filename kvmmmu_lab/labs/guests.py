# SPDX-License-Identifier: GPL-2.0-only
"""A guest made by hand: the entries on the path of one address, flag by flag, and the frame at its end."""

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

# FOLDED IN: labs.neighbour: `neighbour`: a second processor of the guest, which goes on while the host works for the
# first.


def neighbour(vm: Vm, gva: int) -> None:
    """Give the guest a second processor that wants to write at ``gva`` all the time. Raises InputError.

    It remembers translations (``vm.tlb``) until the host has them forgotten, and walks again at once when that happens: so
    it sees what the shadow says at that very moment. KVM of 2007 had no such guests; this is for asking what if.
    """
    check_gva(vm, gva)
    vm.tlb = {}
    flush = vm.flush_tlb

    def flush_and_walk() -> None:
        flush()
        shadow_walk(vm, gva, True, False, False)

    vm.flush_tlb = flush_and_walk  # type: ignore[method-assign]


ALL = PRESENT | WRITABLE | USER
FLAGS = {flag.name: flag.mask for flag in bits.FLAGS if flag.letter}
ROOT, DATA, BIG, DEVICE = 0x10, 0x40, 0x400, 0xFEE00
"""gfns: of the root table (those below it follow), of a data page, of what a large page maps, and of no memory at all."""


GVAS = {"none": DATA << PAGE_SHIFT, "32": 0x00C05000, "32 pse": 0x00C05000, "pae": 0x40605000, "64": 0x8040605000}
"""By mode, the address whose path is shown."""

PRESETS = {
    "all allowed": "every right at every level, and a data page at the end",
    "read-only page": "the last entry has no W",
    "supervisor page": "the last entry has no U",
    "not dirty": "the guest has not written this page yet: the last entry has no D",
    "nothing there": "the last entry isn't present",
    "upper level read-only": "the entry above the last has no W",
    "no execution": "the last entry has NX",
    "large page": "the level-2 entry is the last one, with PS",
    "its own page table": "the frame at the end is the last page table itself",
    "the root table": "the frame at the end is the table that CR3 names",
    "device": "no memory is where the last entry leads",
}
"""Tables to begin with, and what is special about each."""


class GuestTable:
    """The path of one address, ``gva``: ``flags[level]`` of each entry, ``frame`` (a gfn) at the end.

    ``gfns[level]`` is where the table of a level stands. Without paging the address is the frame's own.
    """

    def __init__(self, mode: str = "64", preset: str = "all allowed") -> None:
        if mode not in MODES:
            raise InputError("mode", mode, f"one of {', '.join(MODES)}")
        self.key, self.mode = mode, MODES[mode]
        self.flags: dict[int, int] = {}
        self.gfns = {level: ROOT + self.mode.levels - level for level in range(self.mode.levels, 0, -1)}
        self.slots = [(0, 0x100), (BIG, 0x400)]
        self.frame = DATA
        self.preset(preset)

    @property
    def gva(self) -> int:
        """The address whose path this is."""
        return GVAS[self.key] if self.mode.levels else self.frame << PAGE_SHIFT

    @property
    def last(self) -> int:
        """The level of the last entry: 2 with a large page, else 1."""
        return 2 if self.mode.levels and self.mode.large_pages and self.flags[2] & LARGE else 1

    def choices(self, level: int) -> list[str]:
        """The names of the flags that an entry of this level has."""
        return [flag.name for flag in self.mode.flags(level)]

    def presets(self) -> list[str]:
        """The presets that this mode can have."""
        if not self.mode.levels:
            return ["all allowed", "device"]
        without = {"large page"} if not self.mode.large_pages else set()
        without |= {"no execution"} if self.mode.format is NARROW else set()
        without |= {"upper level read-only"} if "W" not in self.choices(2) else set()
        return [name for name in PRESETS if name not in without]

    def preset(self, name: str) -> None:
        """Begin anew with one of `PRESETS`."""
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
        cleared = {"read-only page": WRITABLE, "supervisor page": USER, "not dirty": DIRTY, "nothing there": PRESENT}
        self.flags[1] = (accessed | DIRTY) & ~cleared.get(name, 0)
        if name == "upper level read-only":
            self.flags[2] &= ~WRITABLE
        elif name == "no execution":
            self.flags[1] |= NX
        elif name == "large page":
            self.flags[2] |= LARGE | DIRTY

    def set(self, level: int, flag: str, on: bool) -> None:
        """Set or clear a flag of an entry."""
        if level not in self.flags or flag not in self.choices(level):
            raise InputError("flag", flag, f"a flag that an entry of level {level} has in this mode")
        self.flags[level] = self.flags[level] | FLAGS[flag] if on else self.flags[level] & ~FLAGS[flag]

    def places(self) -> dict[str, int]:
        """Frames to lead to, by what they are; the tables first take a name only where there are some."""
        tables = {"its own page table": self.gfns[1], "the root table": ROOT} if self.mode.levels else {}
        return {"a data page": DATA, **tables, "memory of a large page": BIG, "a device": DEVICE}

    def entry(self, level: int) -> int:
        """An entry as it stands in the guest's memory. A large page begins where its size allows."""
        form = self.mode.format
        if level > self.last:
            return (self.gfns[level - 1] << PAGE_SHIFT) & form.base | self.flags[level]
        base = form.large_base if level == 2 else form.base
        return (self.frame << PAGE_SHIFT) & base | self.flags[level]

    def entry_gpa(self, level: int) -> int:
        """Where that entry stands."""
        return self.gfns[level] << PAGE_SHIFT | self.index(level) * self.mode.format.size

    def index(self, level: int) -> int:
        """Its index in its table."""
        return GVAS[self.key] >> 30 & 3 if level == 3 == self.mode.levels else self.mode.format.index(GVAS[self.key], level)

    def vm(self, wp: bool = True, nx: bool = True, **parts: Any) -> Vm:
        """A VM with these tables and shadow tables that are still empty. Raises InputError for a PDPTE that is refused."""
        checks.gfn(self.frame)
        vm = Vm(self.slots, **parts)
        for level in range(self.mode.levels, 0, -1):
            vm.poke(self.entry_gpa(level), self.entry(level), self.mode.format.size)
        if not self.mode.levels:
            return vm
        cr0 = CR0_PE | (wp and CR0_WP)
        vm.set_registers(cr0, self.gfns[self.mode.levels] << PAGE_SHIFT, self.mode.cr4, self.mode.efer | (nx and EFER_NX))
        if not vm.load_cr0(cr0 | CR0_PG):
            raise InputError("entry", self.entry(3), "a PDPTE without W and U: the guest gets a #GP when it loads CR3")
        return vm

    def __str__(self) -> str:
        if not self.mode.levels:
            return f"{self.mode.title}: gva = gpa = {self.gva:#x}"
        lines = [f"{self.mode.title}, the path of {self.gva:#x}:"]
        for level in range(self.mode.levels, self.last - 1, -1):
            named = flag_names(self.flags[level])
            target = (self.entry(level) & self.mode.format.base) >> PAGE_SHIFT
            lines.append(f"  level {level}, gfn {self.gfns[level]:#x}:{self.index(level):<3} {named:<17} -> gfn {target:#x}")
        return "\n".join(lines)


# FOLDED IN: labs.builder: Little guests with several mappings, put together by hand, for the labs about writes,
# reverse maps and the pool.


FULL = ALL | ACCESSED | DIRTY
ON = CR0_PE | CR0_WP | CR0_PG
FIRST = 0x10


def paging_mode(name: str) -> GuestMode:
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
        table, at, form = self.root, self.mode.levels, self.mode.format
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
        last, size = 2 if large else 1, self.mode.format.size
        gfn = self.frame() if gfn is None else gfn
        for level in range(self.mode.levels, last, -1):
            gpa = self.entry_gpa(gva, level)
            if not self.vm.peek(gpa, size) & PRESENT:
                self.vm.poke(gpa, self.frame() << PAGE_SHIFT | FULL & ~DIRTY, size)
        self.vm.poke(self.entry_gpa(gva, last), gfn << PAGE_SHIFT | flags | (LARGE if large else 0), size)
        return gfn

    def edit(self, gva: int, entry: int) -> None:
        """The guest writes its last entry for gva: by way of the host where the table is shadowed, else at once."""
        store(self.vm, self.entry_gpa(gva), entry, self.mode.format.size)


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


# FOLDED IN: labs.write_guest: The guest that `write_lab` prepares: pages in two tables, and a table that nobody used
# yet.


def prepared(mode: str, parts: dict[str, Any]) -> tuple[Vm, dict[int, int], list[int]]:
    """The VM, the level of each of its tables by gfn, and the addresses that it has touched.

    Those of a 32-bit guest are in both quadrants of one table.
    """
    guest = Builder(mode, **parts)
    region = 1 << PAGE_SHIFT + guest.mode.format.index_bits
    half = region // 2
    touched = [0x1000, 0x2000, 0x3000, half + 0x1000, half + 0x2000, region + 0x1000]
    mapped = [*touched, 3 * region]
    for gva in mapped:
        guest.map(gva)
    vm = guest.start()
    for gva in touched:
        vm.access(gva, user=True)
    levels = [level for level in range(1, guest.mode.levels + 1) if not level == 3 == guest.mode.levels]
    return vm, {guest.table(gva, level): level for level in levels for gva in mapped}, touched


# FOLDED IN: labs.small: `small_guest`: a guest with a handful of pages, for lessons in which a real one would have
# too much to look at.


def small_guest(mode: str, *gvas: int, **parts: Any) -> Builder:
    """A running guest ("64", "pae", "32" or "32 pse") that maps these addresses and has touched each of them once.

    ``vm`` of the result is the machine; ``entry_gpa(gva, level)`` says where the guest keeps an entry, ``table(gva, level)``
    in which gfn; ``map(gva)`` maps one more. ``parts`` go into the VM. Raises InputError.

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

