# SPDX-License-Identifier: GPL-2.0-only
"""What an entry says: its flags as letters in fixed places, the same in words, and where it leads."""

from __future__ import annotations

from ..mmu.bits import (
    ACCESSED,
    BASE_MASK,
    DIRTY,
    GLOBAL,
    INVALID_PAGE,
    IO_MARK,
    LARGE,
    NX,
    PAGE_SHIFT,
    PRESENT,
    ROOT_32,
    SHADOW_USER,
    SHADOW_WRITABLE,
    USER,
    WRITABLE,
    guest_format,
)
from ..mmu.machine import Machine
from ..mmu.memory import FIRST_SHADOW
from ..mmu.pool import NUM_PAGES
from .paths import maps_large

FLAGS = (
    (PRESENT, "P", "present"),
    (WRITABLE, "W", "writable"),
    (USER, "U", "user"),
    (ACCESSED, "A", "accessed"),
    (DIRTY, "D", "dirty"),
    (GLOBAL, "G", "global"),
    (NX, "NX", "no execution"),
)

NOTES = ((SHADOW_WRITABLE, "W"), (SHADOW_USER, "U"))
"""Marks that the kernel leaves in a level-1 shadow entry: rights that the guest allows, granted here or not."""


def flags(entry: int, withheld: int = 0) -> str:
    """The flags of an entry in fixed places: a letter where set, a small one where withheld, else a dot.

    >>> flags(0x8000000002B45C65, WRITABLE), flags(0)
    ('PwUA..NX', '.......')
    """
    return "".join(letter if entry & bit else letter.lower() if withheld & bit else "." for bit, letter, _ in FLAGS)


def spell(entry: int, withheld: int = 0) -> str:
    """The same in words."""
    words = ", ".join(word for bit, _, word in FLAGS if entry & bit) or "nothing set"
    kept = ", ".join(word for bit, _, word in FLAGS if withheld & bit)
    return f"{words}; the guest allows, the shadow withholds: {kept}" if kept else words


def difference(old: int, new: int, shadow: bool = False) -> str:
    """Which bits changed from one entry to another: "P W set, D cleared". Of a shadow entry also the kernel's marks."""
    said = []
    for what, gained in (("set", new & ~old), ("cleared", old & ~new)):
        letters = [letter for bit, letter, _ in FLAGS if gained & bit] + ["PS"] * bool(gained & LARGE)
        said += [f"{' '.join(letters)} {what}"] * bool(letters)
    noted = [letter for bit, letter in NOTES if shadow and new & ~old & bit]
    return ", ".join(said) + f"; marked: the guest allows {' '.join(noted)}" * bool(noted)


def withheld(level: int, value: int) -> int:
    """Rights that a level-1 shadow entry's guest entry has, by the marks the kernel leaves, and it may lack."""
    if level != 1 or value == INVALID_PAGE or not value & (PRESENT | IO_MARK):
        return 0
    return (value & SHADOW_WRITABLE and WRITABLE) | (value & SHADOW_USER and USER)


def guest_target(vm: Machine, level: int, value: int) -> str:
    """Where a guest entry leads: "gfn 0x29a5", "2M 0x600", "not present", "empty"."""
    gfn = (value & guest_format(vm.root_level).base) >> PAGE_SHIFT
    if not value & PRESENT:
        return "not present" if value else "empty"
    if maps_large(vm, level, value):
        return f"{4 if vm.root_level == ROOT_32 else 2}M {gfn:#x}"
    return f"gfn {gfn:#x}"


def shadow_target(vm: Machine, value: int) -> str:
    """Where a shadow entry or root slot leads: "#250", "gfn 0x29a5", "I/O 0xfee00", "empty", "none"."""
    frame = (value & BASE_MASK) >> PAGE_SHIFT
    if value == INVALID_PAGE:
        return "none"
    if not value & PRESENT:
        return f"I/O {frame:#x}" if value & IO_MARK else "not present" if value else "empty"
    if FIRST_SHADOW <= frame < FIRST_SHADOW + NUM_PAGES:
        return f"#{frame - FIRST_SHADOW}"
    gfn = vm.memory.gfns[frame]
    return "no guest frame" if gfn is None else f"gfn {gfn:#x}"
