# SPDX-License-Identifier: GPL-2.0-only
"""Entry formats, flags, the guest's paging modes, masks and index arithmetic (mmu.c:65-157).

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
    9     free for software            level 1: I/O entry (no memory there); level 2: the table below maps a large page
    10    free for software            the guest allows writing
    11    free for software            the guest allows user access
    12-51 frame (12-31 if 4 bytes)     host frame; in an I/O entry the guest frame
    63    NX  no execute (8 bytes)     copied

A level-n entry covers ``4 KiB << 9 * (n - 1)`` in the 8-byte formats and ``4 KiB << 10 * (n - 1)`` in the 4-byte format.
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
"""Bits 12..51: the frame in a shadow entry or an 8-byte guest entry (PT64_BASE_ADDR_MASK)."""

LINK = PRESENT | ACCESSED | WRITABLE | USER
"""The low bits of a shadow entry that points to a shadow table. They grant all access, because only level 1 restricts it."""

FLAT = PRESENT | WRITABLE | USER
"""The low bits of every shadow entry of a guest without paging."""

PFERR_PRESENT = 1 << 0
PFERR_WRITE = 1 << 1
PFERR_USER = 1 << 2
PFERR_FETCH = 1 << 4

ROOT_64, ROOT_PAE, ROOT_32, NONPAGING = 4, 3, 2, 0
"""The number of guest levels in each mode: the ``root_level`` of a context, and the lowest four bits of a role."""

CR0_PE, CR0_WP, CR0_NW, CR0_CD, CR0_PG = 1 << 0, 1 << 16, 1 << 29, 1 << 30, 1 << 31
CR4_PSE, CR4_PAE = 1 << 4, 1 << 5
EFER_LME, EFER_LMA, EFER_NX = 1 << 8, 1 << 10, 1 << 11


@dataclass(frozen=True)
class Flag:
    """A flag of an entry. ``name`` is its name in the manual; ``letter`` is its name in scenarios, or "" if they can't set
    it."""

    mask: int
    name: str
    letter: str
    word: str

    @property
    def bit(self) -> int:
        """The number of the flag's bit."""
        return self.mask.bit_length() - 1


FLAGS = (
    Flag(PRESENT, "P", "P", "present"),
    Flag(WRITABLE, "W", "W", "writable"),
    Flag(USER, "U", "U", "user"),
    Flag(1 << 3, "PWT", "", "write-through"),
    Flag(1 << 4, "PCD", "", "no caching"),
    Flag(ACCESSED, "A", "A", "accessed"),
    Flag(DIRTY, "D", "D", "dirty"),
    Flag(GLOBAL, "G", "G", "global"),
    Flag(LARGE, "PS", "S", "large page"),
    Flag(NX, "NX", "X", "no execution"),
)
"""The flags of a guest entry, in the order in which they are always listed."""


def flag_names(entry: int) -> str:
    """The names of an entry's flags, except PWT and PCD, which the model ignores.

    >>> flag_names(0x80000000000120E7), flag_names(0)
    ('P W U A D PS NX', '')
    """
    return " ".join(flag.name for flag in FLAGS if flag.letter and entry & flag.mask)


@dataclass(frozen=True)
class EntryFormat:
    """The format of guest entries. Each entry has ``size`` bytes, and each level uses ``index_bits`` bits of the address.
    ``base`` is the mask of the frame, ``large_base`` the mask of a large page's frame."""

    size: int
    index_bits: int
    base: int
    large_base: int
    copied: int
    """Bits that are copied into a shadow entry (PT32_PTE_COPY_MASK, PT64_PTE_COPY_MASK)."""

    @property
    def large_size(self) -> int:
        """The size of a large page in bytes: 4 MiB with 4-byte entries, else 2 MiB."""
        return PAGE_SIZE << self.index_bits

    def index(self, gva: int, level: int) -> int:
        """The index of the entry for gva in a table of level ``level`` (PT64_INDEX, PT32_INDEX).

        >>> WIDE.index(0x403025000, 3), WIDE.index(0x403025000, 2), NARROW.index(0xC0101000, 2)
        (16, 24, 768)
        """
        return (gva >> (PAGE_SHIFT + self.index_bits * (level - 1))) & ((1 << self.index_bits) - 1)


_COPIED = PRESENT | ACCESSED | DIRTY | GLOBAL
WIDE = EntryFormat(8, 9, BASE_MASK, BASE_MASK & ~0x1FFFFF, _COPIED | NX)
NARROW = EntryFormat(4, 10, 0xFFFFF000, 0xFFC00000, _COPIED)

PSE36_MASK, PSE36_SHIFT = 0xF << 13, 32 - 13
"""Bits 13..16 of a large 4-byte entry, shifted left by 19, are address bits 32..35 (mmu.c:88-90)."""


@dataclass(frozen=True)
class GuestMode:
    """A paging mode of the guest: the number of levels of its tables and of the shadow tables, and the register bits that
    select it.

    ``cr0``, ``cr4`` and ``efer`` contain only the bits that select the mode. Even a guest without paging, or with 4-byte
    entries, has shadow tables of three levels with 8-byte entries.
    """

    name: str
    """The mode's name in scenarios and files."""

    words: str
    levels: int
    shadow_levels: int
    format: EntryFormat
    cr0: int = 0
    cr4: int = 0
    efer: int = 0

    @property
    def large_pages(self) -> bool:
        """Whether a level-2 entry with PS maps a large page."""
        return self.levels > ROOT_32 or bool(self.cr4 & CR4_PSE)

    @property
    def title(self) -> str:
        """The mode's name in a menu: "32-bit with 4 MB pages"."""
        return f"{self.words} with 4 MB pages" if self.cr4 & CR4_PSE else self.words

    @property
    def guest(self) -> str:
        """A phrase for a guest in this mode: "64-bit guest", "guest without paging"."""
        return f"{self.words} guest" if self.levels else "guest without paging"

    def flags(self, level: int) -> tuple[Flag, ...]:
        """The flags of an entry at this level that a scenario can set.

        A PDPTE of a PAE guest has only P, a 4-byte entry has no NX, and only a level-2 entry has PS.
        """
        if self.levels == level == ROOT_PAE:
            return FLAGS[:1]
        has = [flag for flag in FLAGS if flag.letter and (level == 2 or flag.mask != LARGE)]
        return tuple(flag for flag in has if self.format.size == 8 or flag.mask != NX)


_PAGING = CR0_PG | CR0_PE
MODES = {
    mode.name: mode
    for mode in (
        GuestMode("none", "no paging", NONPAGING, 3, WIDE),
        GuestMode("32", "32-bit", ROOT_32, 3, NARROW, _PAGING),
        GuestMode("32 pse", "32-bit", ROOT_32, 3, NARROW, _PAGING, CR4_PSE),
        GuestMode("pae", "PAE", ROOT_PAE, 3, WIDE, _PAGING, CR4_PAE),
        GuestMode("64", "64-bit", ROOT_64, 4, WIDE, _PAGING, CR4_PAE, EFER_LME),
    )
}
"""The modes by name."""


def mode_of_registers(cr0: int, cr4: int, efer: int) -> GuestMode:
    """The mode that these registers select (mmu.c:921-935, 1039-1097): EFER.LME selects 64-bit mode, not LMA (2007)."""
    if not cr0 & CR0_PG:
        return MODES["none"]
    if efer & EFER_LME:
        return MODES["64"]
    if cr4 & CR4_PAE:
        return MODES["pae"]
    return MODES["32 pse" if cr4 & CR4_PSE else "32"]


def mode_of_levels(levels: int) -> GuestMode:
    """The mode with this number of guest levels (``root_level``, or the ``glevels`` of a page); for 2, the mode "32"."""
    return next(mode for mode in MODES.values() if mode.levels == levels)


def guest_format(root_level: int) -> EntryFormat:
    """The entry format of a guest with ``root_level`` levels."""
    return NARROW if root_level == ROOT_32 else WIDE


def shadow_index(gva: int, level: int) -> int:
    """The index of the entry for gva in a shadow table, where each level always uses 9 bits."""
    return (gva >> (3 + 9 * level)) & 511


def error_code(write: bool, user: bool, fetch: bool) -> int:
    """The bits of a #PF error code that describe the access."""
    return (write and PFERR_WRITE) | (user and PFERR_USER) | (fetch and PFERR_FETCH)


def canonical(gva: int) -> int:
    """gva with bit 47 copied into bits 48..63 (mmu.c:1393-1399)."""
    return ((gva & ((1 << 48) - 1)) - ((gva & (1 << 47)) << 1)) & ALL_ONES
