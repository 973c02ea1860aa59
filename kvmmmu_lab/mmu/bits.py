# SPDX-License-Identifier: GPL-2.0-only
"""Entry formats, masks and index arithmetic (mmu.c:65-157).

A guest entry has 8 bytes (PAE, 64-bit) or 4 (32-bit); a shadow entry always has 8::

    bit   guest entry                  shadow entry
    0     P   present                  present (clear in an I/O entry)
    1     W   writable                 writable
    2     U   user                     user
    3     PWT, 4 PCD                   -
    5     A   accessed                 copied
    6     D   dirty                    copied
    7     PS  large page (level 2)     -
    8     G   global                   copied
    9     free for software            in a leaf: "no memory there" (I/O); in a level-2 entry: "below is a large page"
    10    free for software            the guest allows writing
    11    free for software            the guest allows user access
    12-51 frame (12-31 of 4 bytes)     host frame; in an I/O entry the guest address
    63    NX  no execution (8 bytes)   copied

A level-n entry covers ``4 KiB << 9 * (n - 1)`` (8 bytes) or ``4 KiB << 10 * (n - 1)`` (4 bytes).
"""

from __future__ import annotations

from dataclasses import dataclass

PAGE_SHIFT = 12
PAGE_SIZE = 1 << PAGE_SHIFT
ALL_ONES = (1 << 64) - 1
INVALID_PAGE = ALL_ONES
UNMAPPED_GVA = ALL_ONES

PRESENT = 1 << 0
WRITABLE = 1 << 1
USER = 1 << 2
ACCESSED = 1 << 5
DIRTY = 1 << 6
LARGE = 1 << 7
GLOBAL = 1 << 8
NX = 1 << 63
RIGHTS = WRITABLE | USER

PS_MARK = 1 << 9
IO_MARK = 1 << 9
SHADOW_BITS_OFFSET = 9
SHADOW_WRITABLE = WRITABLE << SHADOW_BITS_OFFSET
SHADOW_USER = USER << SHADOW_BITS_OFFSET

BASE_MASK = (1 << 52) - PAGE_SIZE
"""Bits 12..51: where a shadow entry, and an 8-byte guest entry, points (PT64_BASE_ADDR_MASK)."""

LINK = PRESENT | ACCESSED | WRITABLE | USER
"""Low bits of a shadow entry that points to a shadow table: rights are withheld at level 1 only."""

FLAT = PRESENT | WRITABLE | USER
"""Low bits of every shadow entry without guest paging."""

PFERR_PRESENT = 1 << 0
PFERR_WRITE = 1 << 1
PFERR_USER = 1 << 2
PFERR_FETCH = 1 << 4

ROOT_64, ROOT_PAE, ROOT_32, NONPAGING = 4, 3, 2, 0
"""Guest levels of the four modes, as a context's root_level says them."""

CR0_PE, CR0_WP, CR0_NW, CR0_CD, CR0_PG = 1 << 0, 1 << 16, 1 << 29, 1 << 30, 1 << 31
CR4_PSE, CR4_PAE = 1 << 4, 1 << 5
EFER_LME, EFER_LMA, EFER_NX = 1 << 8, 1 << 10, 1 << 11


@dataclass(frozen=True)
class EntryFormat:
    """Format of a guest's entries: ``size`` bytes each, ``index_bits`` address bits a level, masks over the entry."""

    size: int
    index_bits: int
    base: int
    large_base: int
    copied: int
    """Bits that a shadow entry takes over as they are (PT32_PTE_COPY_MASK, PT64_PTE_COPY_MASK)."""

    def index(self, gva: int, level: int) -> int:
        """Index of gva's entry in its level-``level`` table (PT64_INDEX, PT32_INDEX).

        >>> WIDE.index(0x403025000, 3), WIDE.index(0x403025000, 2), NARROW.index(0xC0101000, 2)
        (16, 24, 768)
        """
        return gva >> PAGE_SHIFT + self.index_bits * (level - 1) & (1 << self.index_bits) - 1


_COPIED = PRESENT | ACCESSED | DIRTY | GLOBAL
WIDE = EntryFormat(8, 9, BASE_MASK, BASE_MASK & ~0x1FFFFF, _COPIED | NX)
NARROW = EntryFormat(4, 10, 0xFFFFF000, 0xFFC00000, _COPIED)

PSE36_MASK, PSE36_SHIFT = 0xF << 13, 32 - 13
"""Bits 13..16 of a large 4-byte entry, moved by 19, are address bits 32..35 (mmu.c:88-90)."""


def guest_format(root_level: int) -> EntryFormat:
    """The entry format of a guest with so many levels."""
    return NARROW if root_level == ROOT_32 else WIDE


def shadow_index(gva: int, level: int) -> int:
    """Index of gva's entry in a shadow table: 9 bits a level, whatever the guest uses."""
    return gva >> 3 + 9 * level & 511


def canonical(gva: int) -> int:
    """gva with bit 47 copied into bits 48..63 (mmu.c:1393-1399)."""
    return (gva & (1 << 48) - 1) - ((gva & 1 << 47) << 1) & ALL_ONES


def letters(entry: int) -> str:
    """The flags of an entry in fixed places, a dot where a bit is clear.

    >>> letters(0x8000000000012067), letters(0)
    ('P W U A D . NX', '. . . . . . .')
    """
    bits = ((PRESENT, "P"), (WRITABLE, "W"), (USER, "U"), (ACCESSED, "A"), (DIRTY, "D"), (GLOBAL, "G"), (NX, "NX"))
    return " ".join(letter if entry & bit else "." for bit, letter in bits)
