# SPDX-License-Identifier: GPL-2.0-only
"""Addresses of a real guest to choose from, and the guest's own entry behind one."""

from __future__ import annotations

import functools
import html
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data import Guest
from ..draw.arguments import check_gva
from ..errors import InputError
from ..inspect.entries import flags
from ..inspect.keys import guest_table
from ..inspect.paths import guest_entry, guest_path, guest_tree, made_from, maps_large
from ..mmu.bits import PAGE_SHIFT, PRESENT, ROOT_32, ROOT_64, canonical, guest_format
from ..mmu.machine import Machine
from ..mmu.pool import METAPHYSICAL, ShadowPage
from ..mmu.prewrite import shadow_range
from .display import Shown

# FOLDED IN: labs.reached: Addresses that lead through a table of the guest's: to have a path to draw, and something
# to access.


HALF = 1 << 21
"""What one shadow link maps. A 4-byte directory entry maps two halves of this size, by two links."""


def pages_of(vm: Machine, gfn: int) -> list[ShadowPage]:
    """The shadow pages of a guest's table: one, or the quadrants of a 32-bit guest's."""
    found = [page for page in vm.pool.bucket(gfn) if page.gfn == gfn and not page.role & METAPHYSICAL]
    return sorted(found, key=lambda page: page.role)


def in_shadow(vm: Machine, gfn: int, index: int) -> bool:
    """Whether something was made from an entry of a guest's table."""
    ranges = [shadow_range(page, index * guest_format(vm.root_level).size) for page in pages_of(vm, gfn)]
    return any(vm.memory.words[first + number] for first, count in ranges for number in range(count))


class Reached:
    """The tables that the guest's root leads to at this moment, with the first address that each of them maps."""

    def __init__(self, vm: Machine) -> None:
        self.vm, self.tree, self.form = vm, guest_tree(vm), guest_format(vm.root_level)
        self.first = dict.fromkeys(list(self.tree)[:1], 0)
        for key, branch in self.tree.items():  # breadth first, so that what leads to a table comes before it
            for index, to in branch.links:
                if self.tree[to].level == branch.level - 1:  # a table can also be reached on another level
                    self.first.setdefault(to, self.first[key] | self._bits(index, branch.level))

    def _bits(self, index: int, level: int) -> int:
        return index << PAGE_SHIFT + self.form.index_bits * (level - 1)

    def present(self, gfn: int) -> list[int]:
        """Indices of the entries of a table that are present, those in the shadow first."""
        found = [index for index in range(1 << self.form.index_bits) if guest_entry(self.vm, gfn, index) & PRESENT]
        return sorted(found, key=lambda index: not in_shadow(self.vm, gfn, index))

    def through(self, gfn: int, index: int | None = None, half: int | None = None) -> int | None:
        """An address with an entry of this table on its path (any, if no ``index`` is given), and a page at its end.

        ``half``: in which half of the 4 MB of a directory entry. None where there is no such address.
        """
        key = guest_table(gfn)
        if key not in self.first:
            return None
        indices = self.present(gfn) if index is None else [index]
        gva = self._down(gfn, self.tree[key].level, self.first[key], indices, half)
        return gva if gva is None or self.vm.root_level != ROOT_64 else canonical(gva)

    def to(self, gfn: int, index: int = 0) -> int | None:
        """The first address with this entry on its path, wherever it leads from there; None for a table out of reach."""
        key = guest_table(gfn)
        if key not in self.first:
            return None
        gva = self.first[key] | self._bits(index, self.tree[key].level)
        return canonical(gva) if self.vm.root_level == ROOT_64 else gva

    def _down(self, gfn: int, level: int, base: int, indices: list[int], half: int | None = None) -> int | None:
        for index in indices:
            entry, gva = guest_entry(self.vm, gfn, index), base | self._bits(index, level)
            below = (entry & self.form.base) >> PAGE_SHIFT
            if not entry & PRESENT:
                continue
            if level == 1 or maps_large(self.vm, level, entry):
                return gva | HALF * (half or 0)
            if self.vm.memory.frames[below] is not None:
                wanted = [at for at in self.present(below) if half is None or at >> 9 == half]
                found = self._down(below, level - 1, gva, wanted)
                if found is not None:
                    return found
        return None

    def behind(self, page: ShadowPage, index: int) -> int | None:
        """An address whose path in the shadow has this entry, if one has."""
        made = made_from(self.vm, page, index)
        narrow = page.glevels == ROOT_32 and page.level == 2
        return None if made is None else self.through(*made, index & 1 if narrow else None)

    def ends(self, gfn: int) -> list[int]:
        """Addresses through the first and the last entry of a table that is in the shadow, or present, or there at all."""
        present = self.present(gfn)
        used = [index for index in present if in_shadow(self.vm, gfn, index)] or present
        found = [self.through(gfn, index) for index in (*used[:1], *used[-1:])]
        ends = dict.fromkeys(gva for gva in found if gva is not None)
        first = self.to(gfn)
        return list(ends) or ([] if first is None else [first])


WRITABLE, USER, BIG, NX = 1 << 0, 1 << 1, 1 << 6, 1 << 8
"""Bits of ``Guest.tlb_flags``."""

NEAR = 1 << 24
"""Writable pages so close behind the program's code are its data; those further up are the heap."""

LOW = 1 << 30
"""These guests' programs are linked to lower addresses; what can't be written above comes from the kernel."""

KERNEL = {"64": 1 << 63, "pae": 0xC0000000, "32": 0xC0000000}
STACK = {"64": 0x7FF000000000, "pae": 0xBF000000, "32": 0xBF000000}
DIRECT_MAP = {4: 0xFFFF888000000000, 3: 0xC0000000, 2: 0xC0000000}
"""By levels of the guest's tables: where Linux maps all memory (the start of it, in 32 bits) for its own use."""

REGIONS_64 = (
    (0xFFFFC88000000000, "kernel: all memory"),
    (0xFFFFE90000000000, "kernel: allocations"),
    (0xFFFFFFFF80000000, "kernel: other"),
    (0xFFFFFFFFC0000000, "kernel: its code"),
    (1 << 64, "kernel: modules and more"),
)
"""Upper ends of the parts of a 64-bit Linux kernel's addresses."""

PER_GROUP = 5


@dataclass(frozen=True)
class Mapping:
    """A page that the guest maps: ``group`` says what it is used for, ``user`` whether user code may touch it."""

    group: str
    gva: int
    user: bool
    writable: bool
    large: int = 0
    """Bytes that one entry maps if that is a large page, else 0."""

    def __str__(self) -> str:
        marks = [f"{self.large >> 20} MB page"] * bool(self.large) + ["read-only"] * (not self.writable)
        return f"{self.group}   {self.gva:#x}" + f"   ({', '.join(marks)})" * bool(marks)


def mappings(guest: Guest, per_group: int = PER_GROUP) -> list[Mapping]:
    """A few pages of each group of the guest's real mappings, low addresses first, spread over the group."""
    order = np.argsort(guest.tlb_gva)
    pages = list(zip(guest.tlb_gva[order].tolist(), guest.tlb_flags[order].tolist(), strict=True))
    code = [gva for gva, bits in pages if bits & USER and not bits & WRITABLE and gva < LOW]
    large = 4 << 20 if guest.mode == "32" else 2 << 20
    groups: dict[str, list[tuple[int, int]]] = {}
    for gva, bits in pages:
        groups.setdefault(_group(guest.mode, gva, bits, max(code[-1:], default=0)), []).append((gva, bits))
    return [
        Mapping(name, gva, bool(bits & USER), bool(bits & WRITABLE), large if bits & BIG else 0)
        for name, found in groups.items()
        for gva, bits in _spread(found, per_group)
    ]


def _spread(found: list[tuple[int, int]], count: int) -> list[tuple[int, int]]:
    count = min(count, len(found))
    return [found[len(found) * i // count] for i in range(count)]


def _group(mode: str, gva: int, bits: int, code_end: int) -> str:
    if gva >= KERNEL[mode]:
        if mode != "64":
            return "kernel"
        return next(name for end, name in REGIONS_64 if gva < end)
    if not bits & USER:
        return "boot: memory at its own address"
    if bits & WRITABLE:
        return "stack" if gva >= STACK[mode] else "program: data" if gva < code_end + NEAR else "heap"
    if gva >= LOW:
        return "code lent by the kernel"
    return "program: constants" if bits & NX else "program: code"


def pick_address(guest: Guest, default: str = "heap") -> AddressPicker:
    """A menu of the guest's real mappings, standing at the first one of the group ``default``."""
    return AddressPicker(mappings(guest), default)


class AddressPicker(Shown):
    """Show it in a notebook to choose; ``gva`` and ``user`` say what was chosen."""

    def __init__(self, choices: list[Mapping], default: str) -> None:
        if not choices:
            raise InputError("guest", "no mappings", "a guest that maps something")
        self.choices = choices
        self.chosen = next((choice for choice in choices if choice.group == default), choices[0])

    @property
    def gva(self) -> int:
        """The chosen address."""
        return self.chosen.gva

    @property
    def user(self) -> bool:
        """Whether user code may touch it."""
        return self.chosen.user

    @functools.cached_property
    def widget(self) -> Any:
        """The menu. Raises ImportError without ipywidgets."""
        import ipywidgets as widgets

        menu = widgets.Dropdown(
            options=[(str(choice), choice) for choice in self.choices],
            value=self.chosen,
            description="Address",
            tooltip="An address that this guest maps",
            style={"description_width": "initial"},
            layout={"width": "min(100%, 520px)"},
        )
        menu.observe(lambda change: setattr(self, "chosen", change["new"]), "value")
        return menu

    def still(self) -> str:
        """The addresses, and which of them is chosen."""
        return f"<pre>{html.escape(str(self))}</pre>"

    def __str__(self) -> str:
        lines = [f"{'>' if choice == self.chosen else ' '} {choice}" for choice in self.choices]
        return "\n".join(["Addresses that this guest maps (> is chosen):", *lines])

    __repr__ = __str__


@dataclass(frozen=True)
class GuestEntry:
    """The guest's last-level entry for an address.

    ``gpa``: where in guest memory it stands; ``size`` of it in bytes; ``value``; ``kernel_gva``: the address at which Linux
    itself reads and writes it.
    """

    gva: int
    gpa: int
    size: int
    value: int
    kernel_gva: int
    large: int
    """How many frames one entry maps."""

    @property
    def moved(self) -> int:
        """The value with the same flags and the frame next door: as after the kernel moved the page."""
        return self.value ^ self.large << PAGE_SHIFT

    def __repr__(self) -> str:
        gfn, index = self.gpa >> PAGE_SHIFT, self.gpa % (1 << PAGE_SHIFT) // self.size
        return (
            f"the guest's entry for {self.gva:#x}: entry {index} of the table in gfn {gfn:#x}\n"
            f"  value {self.value:#x}: flags {flags(self.value)}\n"
            f"  at gpa {self.gpa:#x}, which the guest's kernel reaches at gva {self.kernel_gva:#x}"
        )


def entry_of(vm: Machine, gva: int) -> GuestEntry:
    """The guest's last entry for gva. Raises InputError where the guest doesn't page, or maps nothing at gva."""
    check_gva(vm, gva)
    steps = guest_path(vm, gva).steps
    if not steps:
        raise InputError("vm", "not paging", "a guest with paging on: it has no tables yet")
    last = steps[-1]
    if not last.entry & PRESENT:
        raise InputError("gva", gva, f"an address that the guest maps (its level-{last.level} entry is {last.entry:#x})")
    form = guest_format(vm.root_level)
    gpa = (last.number << PAGE_SHIFT) + last.index * form.size
    large = 1 << form.index_bits * (last.level - 1)
    return GuestEntry(gva, gpa, form.size, last.entry, DIRECT_MAP[vm.root_level] + gpa, large)

