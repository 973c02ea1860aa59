# SPDX-License-Identifier: GPL-2.0-only
"""`pick_address`: a menu of addresses that a real guest maps; `entry_of`: the guest's last-level entry for an address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data import Guest
from ..draw.arguments import check_gva
from ..errors import InputError
from ..inspect.entries import flags
from ..inspect.names import LEVELS
from ..inspect.paths import guest_path
from ..mmu.bits import MODES, PAGE_SHIFT, PRESENT, guest_format
from ..mmu.machine import Machine
from ..printable import escaped_html
from .display import Displayable

WRITABLE, USER, BIG, NX = 1 << 0, 1 << 1, 1 << 6, 1 << 8
"""Bits of ``Guest.tlb_flags``."""

NEAR = 1 << 24
"""Writable pages less than this far above the program's code are its data; those further up are the heap."""

LOW = 1 << 30
"""The guests' programs are linked below this address; a read-only page above it is part of the vDSO, which the kernel maps."""

KERNEL = {"64": 1 << 63, "pae": 0xC0000000, "32": 0xC0000000}
STACK = {"64": 0x7FF000000000, "pae": 0xBF000000, "32": 0xBF000000}
DIRECT_MAP = {4: 0xFFFF888000000000, 3: 0xC0000000, 2: 0xC0000000}
"""Where Linux maps all physical memory (on 32 bits, the beginning of it), by the number of levels of the guest's tables."""

REGIONS_64 = (
    (0xFFFFC88000000000, "kernel: direct map"),
    (0xFFFFE90000000000, "kernel: vmalloc"),
    (0xFFFFFFFF80000000, "kernel: other"),
    (0xFFFFFFFFC0000000, "kernel: code and data"),
    (1 << 64, "kernel: modules and fixed mappings"),
)
"""The regions of a 64-bit Linux kernel's address space, each with its end address."""

PER_GROUP = 5


@dataclass(frozen=True)
class Mapping:
    """A page that the guest maps. ``group``: what it is used for; ``user``: whether user code may access it."""

    group: str
    gva: int
    user: bool
    writable: bool
    large: int = 0
    """The size of a large page in bytes; 0 for a page of 4 KiB."""

    def __str__(self) -> str:
        marks = [f"{self.large >> 20} MB page"] * bool(self.large) + ["read-only"] * (not self.writable)
        return f"{self.group}   {self.gva:#x}" + f"   ({', '.join(marks)})" * bool(marks)


def mappings(guest: Guest, per_group: int = PER_GROUP) -> list[Mapping]:
    """Return a few pages from each group of the guest's mappings, spread evenly over the group, in ascending order."""
    order = np.argsort(guest.tlb_gva)
    pages = list(zip(guest.tlb_gva[order].tolist(), guest.tlb_flags[order].tolist(), strict=True))
    code = [gva for gva, bits in pages if bits & USER and not bits & WRITABLE and gva < LOW]
    large = MODES[guest.mode].format.large_size
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
        return "boot: identity map"
    if bits & WRITABLE:
        return "stack" if gva >= STACK[mode] else "program: data" if gva < code_end + NEAR else "heap"
    if gva >= LOW:
        return "vDSO"
    return "program: constants" if bits & NX else "program: code"


def pick_address(guest: Guest, default: str = "heap") -> AddressPicker:
    """Return a menu of addresses that the guest maps, with the first one in the group ``default`` selected."""
    return AddressPicker(mappings(guest), default)


class AddressPicker(Displayable):
    """A menu of addresses for a notebook. ``gva`` and ``user`` describe the selected one."""

    def __init__(self, choices: list[Mapping], default: str) -> None:
        if not choices:
            raise InputError("guest", "no mappings", "a guest that maps at least one page")
        self.choices = choices
        self.chosen = next((choice for choice in choices if choice.group == default), choices[0])

    @property
    def gva(self) -> int:
        """The selected address."""
        return self.chosen.gva

    @property
    def user(self) -> bool:
        """Whether user code may access the selected address."""
        return self.chosen.user

    def make_widget(self, ui: Any) -> Any:
        """Create the menu."""
        options = [(str(choice), choice) for choice in self.choices]
        menu = ui.menu("Address", options, self.chosen, "An address that this guest maps", width="min(100%, 520px)")
        menu.observe(lambda change: setattr(self, "chosen", change["new"] or self.chosen), "value")
        return menu

    def still(self) -> str:
        """Return the addresses as HTML, with the selected one marked."""
        return f"<pre>{escaped_html(str(self))}</pre>"

    def __str__(self) -> str:
        lines = [f"{'>' if choice == self.chosen else ' '} {choice}" for choice in self.choices]
        return "\n".join(["Addresses that this guest maps (> marks the selected one):", *lines])

    __repr__ = __str__


@dataclass(frozen=True)
class GuestEntry:
    """The guest's last-level entry for an address.

    ``gpa``: its address in guest memory. ``size``: its size in bytes. ``kernel_gva``: the address at which Linux reads and
    writes it. ``frames``: the number of frames that an entry at its level maps.
    """

    gva: int
    gpa: int
    size: int
    value: int
    kernel_gva: int
    frames: int

    @property
    def moved(self) -> int:
        """The entry's value with the same flags and a neighbouring frame, as if the kernel had moved the page."""
        return self.value ^ self.frames << PAGE_SHIFT

    def __repr__(self) -> str:
        gfn, index = self.gpa >> PAGE_SHIFT, self.gpa % (1 << PAGE_SHIFT) // self.size
        return (
            f"the guest's entry for {self.gva:#x}: entry {index} of the table in gfn {gfn:#x}\n"
            f"  value {self.value:#x}: flags {flags(self.value)}\n"
            f"  at gpa {self.gpa:#x}, which the guest's kernel accesses at gva {self.kernel_gva:#x}"
        )


def leads_to(vm: Machine, gva: int) -> str:
    """Return a sentence that says where the guest's tables lead for gva."""
    path = guest_path(vm, gva)
    if not path.steps:
        return "The guest isn't paging: the address is a gpa."
    last = path.steps[-1]
    entry = f"entry {last.index} of the {LEVELS[last.level]}"
    if path.gfn is None:
        return f"The guest doesn't map it: {entry} isn't present."
    device = "" if path.hfn is not None else ", where there is no memory"
    return f"It leads to gfn {path.gfn:#x}{device}: the last entry, {entry}, has {flags(last.entry)}."


def entry_of(vm: Machine, gva: int) -> GuestEntry:
    """Return the guest's last-level entry for gva. Raises InputError if the guest isn't paging or doesn't map gva."""
    check_gva(vm, gva)
    steps = guest_path(vm, gva).steps
    if not steps:
        raise InputError("vm", "not paging", "a guest with paging enabled; this one has no page tables yet")
    last = steps[-1]
    if not last.entry & PRESENT:
        raise InputError("gva", gva, f"an address that the guest maps (its level-{last.level} entry is {last.entry:#x})")
    form = guest_format(vm.root_level)
    gpa = (last.number << PAGE_SHIFT) + last.index * form.size
    frames = 1 << form.index_bits * (last.level - 1)
    return GuestEntry(gva, gpa, form.size, last.entry, DIRECT_MAP[vm.root_level] + gpa, frames)
