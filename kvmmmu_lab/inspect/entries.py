# SPDX-License-Identifier: GPL-2.0-only
"""Decode an entry: its flags as letters or words, the access rights that it withholds, and its target."""

from __future__ import annotations

from ..mmu import bits
from ..mmu.bits import (
    BASE_MASK,
    INVALID_PAGE,
    IO_MARK,
    PAGE_SHIFT,
    PRESENT,
    RIGHTS,
    SHADOW_BITS_OFFSET,
    SHADOW_USER,
    SHADOW_WRITABLE,
    USER,
    WIDE,
    WRITABLE,
    flag_names,
    guest_format,
)
from ..mmu.machine import Machine
from ..mmu.memory import FIRST_SHADOW
from ..mmu.pool import NUM_PAGES
from .paths import maps_large

FLAGS = tuple(flag for flag in bits.FLAGS if flag.mask & (WIDE.copied | RIGHTS))
"""The flags that exist in both guest entries and shadow entries."""

NOTES = tuple((flag.mask << SHADOW_BITS_OFFSET, flag.name) for flag in FLAGS if flag.mask & RIGHTS)
"""The mask and name of each mark in a level-1 shadow entry. The marks record the access rights that the guest allows, even if
the shadow entry doesn't grant them."""


def flags(entry: int, withheld: int = 0) -> str:
    """The flags of an entry in a fixed order: a capital letter if set, a small letter if withheld, else a dot.

    >>> flags(0x8000000002B45C65, WRITABLE), flags(0)
    ('PwUA..NX', '.......')
    """
    return "".join(flag.name if entry & flag.mask else flag.name.lower() if withheld & flag.mask else "." for flag in FLAGS)


def spell(entry: int, withheld: int = 0) -> str:
    """The flags of an entry in words: "present, writable, user"."""
    words = ", ".join(flag.word for flag in FLAGS if entry & flag.mask) or "nothing set"
    lacking = ", ".join(flag.word for flag in FLAGS if withheld & flag.mask)
    return f"{words}; allowed by the guest but withheld by the shadow: {lacking}" if lacking else words


def difference(old: int, new: int, shadow: bool = False) -> str:
    """Describe the bits that differ between an old and a new entry: "P W set, D cleared"; for a shadow entry, also the new
    marks."""
    parts = []
    for what, changed in (("set", new & ~old), ("cleared", old & ~new)):
        parts += [f"{flag_names(changed)} {what}"] * bool(flag_names(changed))
    marked = [name for bit, name in NOTES if shadow and new & ~old & bit]
    return ", ".join(parts) + f"; marked: the guest allows {' '.join(marked)}" * bool(marked)


def withheld(level: int, value: int) -> int:
    """The W and U bits that the guest allows, according to the marks in a level-1 shadow entry, which may not grant them
    itself."""
    if level != 1 or value == INVALID_PAGE or not value & (PRESENT | IO_MARK):
        return 0
    return (value & SHADOW_WRITABLE and WRITABLE) | (value & SHADOW_USER and USER)


def guest_target(vm: Machine, level: int, value: int) -> str:
    """The target of a guest entry: "gfn 0x29a5", "2M 0x600", "not present", "empty"."""
    gfn = (value & guest_format(vm.root_level).base) >> PAGE_SHIFT
    if not value & PRESENT:
        return "not present" if value else "empty"
    if maps_large(vm, level, value):
        return f"{guest_format(vm.root_level).large_size >> 20}M {gfn:#x}"
    return f"gfn {gfn:#x}"


def shadow_target(vm: Machine, value: int) -> str:
    """The target of a shadow entry or root slot: "#250", "gfn 0x29a5", "I/O 0xfee00", "empty", "none"."""
    frame = (value & BASE_MASK) >> PAGE_SHIFT
    if value == INVALID_PAGE:
        return "none"
    if not value & PRESENT:
        return f"I/O {frame:#x}" if value & IO_MARK else "not present" if value else "empty"
    if FIRST_SHADOW <= frame < FIRST_SHADOW + NUM_PAGES:
        return f"#{frame - FIRST_SHADOW}"
    gfn = vm.memory.gfns[frame]
    return "no guest frame" if gfn is None else f"gfn {gfn:#x}"
