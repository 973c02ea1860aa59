# SPDX-License-Identifier: GPL-2.0-only
"""One guest memory that holds page tables of all modes, small enough for all cases to occur together.

gfns: 0x00..0x5f is memory with a dirty log, 0x400..0x41f memory below large pages, 0x1000..0x103f empty frames that can
be roots; there is no other memory. 0x800..0x80f is sometimes an alias of data frames.
"""

from functools import cache

import numpy as np

from kvmmmu_lab import Vm

from .guests import ALL, MODES, NX, ON, PE, PS, A, D, P, U, W

SLOTS = [(0, 0x60, True), (0x400, 0x20), (0x1000, 0x40)]
ALIAS, ALIASED, ALIAS_PAGES = 0x800, 0x40, 0x10
SPARE = range(0x1000, 0x1040)
PDPTS = 0x18
"""The frame with the PDPTEs of both PAE address spaces. The guest never changes it."""

TABLES = {
    0x10: ("32", 2), 0x11: ("32", 2), 0x12: ("32", 1), 0x13: ("32", 1),
    0x19: ("pae", 2), 0x1A: ("pae", 2), 0x1B: ("pae", 1), 0x1C: ("pae", 1),
    0x20: ("64", 4), 0x21: ("64", 4), 0x22: ("64", 3), 0x23: ("64", 3),
    0x24: ("64", 2), 0x25: ("64", 2), 0x26: ("64", 1), 0x27: ("64", 1),
}  # fmt: skip
ROOTS = {"32": [0x10 << 12, 0x11 << 12], "pae": [PDPTS << 12, PDPTS << 12 | 0x20], "64": [0x20 << 12, 0x21 << 12]}
INDEXES = {
    "32": {2: [0, 1, 512, 1023], 1: [0, 1, 512]},
    "pae": {3: [0, 3], 2: [0, 1, 511], 1: [0, 1, 511]},
    "64": {4: [0, 511], 3: [0, 1], 2: [0, 1, 511], 1: [0, 511]},
}
WINDOW = 0x80
"""In every level-1 table, entry WINDOW + gfn maps that gfn of the first slot, tables included."""

LEAF_TARGETS = [0x30, 0x31, 0x4F, 0x10, 0x12, 0x19, 0x1B, 0x20, 0x24, 0x26, PDPTS, ALIAS, ALIAS + 0xF, 0x400, 0xFEE00]
LEAF_FLAGS = [P, P | W, P | U, ALL, ALL | D, P | W | D, ALL | A | D]
OFFSETS = [0, 4, 8, 0x10, 0x7F8, 0x800, 0xFF8, 0xFFC]


@cache
def entries(gfn):
    """Every entry that the guest may write to a table; the first is 0.

    The levels above the last allow everything, since their rights aren't in the role of a shadow page (2007). They
    lead to tables of the level below or, for self maps, of their own level or above.
    """
    mode, level = TABLES[gfn]
    if level == 1:
        leaves = [target << 12 | flags for target in LEAF_TARGETS for flags in LEAF_FLAGS]
        return [0, *leaves, *([leaf | NX for leaf in leaves[::3]] if mode != "32" else [])]
    below = [other << 12 | ALL for other, (of, at) in TABLES.items() if of == mode and at >= level - 1]
    large = [base << 12 | flags | PS for base in (0, 0x400) for flags in LEAF_FLAGS] if level == 2 else []
    return [0, *below, *large]


def gvas(mode):
    """Addresses whose paths end in entries that the guest changes, in window entries, and at missing entries."""
    levels = INDEXES[mode]
    found = [0]
    for level in sorted(levels, reverse=True):
        shift = 12 + MODES[mode].bits * (level - 1)
        last = [*levels[level], WINDOW + 0x30, *(WINDOW + gfn for gfn in TABLES)] if level == 1 else levels[level]
        found = [gva | index << shift for gva in found for index in last]
    return [gva | 0xFFFF << 48 if gva >> 47 else gva for gva in found]


GVAS = {mode: gvas(mode) for mode in MODES} | {
    "none": [gfn << 12 for gfn in (0, 0x12, 0x20, 0x26, 0x30, 0x4F, 0x5F, 0x400, ALIAS, ALIAS + 1, 0xFEE00)]
}


def _page(gfn):
    """The initial content of a table: links to the tables of the level below, leaves of all kinds, large pages."""
    mode, level = TABLES[gfn]
    size = MODES[mode].size
    page = np.zeros(4096 // size, f"<u{size}")
    below = [other for other, (of, at) in TABLES.items() if of == mode and at == level - 1]
    for n, index in enumerate(INDEXES[mode][level]):
        page[index] = (
            below[n % 2] << 12 | ALL if below else 0x30 + n << 12 | LEAF_FLAGS[(gfn + 3 * n) % len(LEAF_FLAGS)]
        )
    if level == 2:
        page[INDEXES[mode][2][1]] = 0x400 << 12 | PS | (ALL if gfn % 2 else P | W)
        if gfn % 2 == 0:
            page[INDEXES[mode][2][-1]] = 0x400 << 12 | PS | P | U
    if level == 1:
        page[WINDOW : WINDOW + 0x60] = [frame << 12 | ALL for frame in range(0x60)]
    return page.tobytes()


PAGES = {gfn: _page(gfn) for gfn in TABLES}
PDPT = b"".join(
    (gfn << 12 | P if gfn else 0).to_bytes(8, "little") for gfn in (0x19, 0, 0, 0x1A, 0x1A, 0, 0, 0x19)
).ljust(4096, b"\0")


def make(**options):
    """Make a VM with this memory, without paging."""
    vm = Vm(SLOTS, **options)
    for gfn, page in PAGES.items():
        vm.load_page(gfn, page)
    vm.load_page(PDPTS, PDPT)
    return vm


def enter(vm, mode, root=0):
    """Switch to a mode ("none": no paging) in one step, as the host can."""
    if mode == "none":
        vm.set_registers(PE, 0, 0, 0)
    else:
        vm.set_registers(ON, ROOTS[mode][root], MODES[mode].cr4, MODES[mode].efer)


def allowed_store(vm, gpa, choice):
    """Choose a store that keeps the tables within this world; return (offset in the page, value, size).

    ``choice`` is any number. One in four stores to a table rewrites the bytes that are already there, often across entries.
    """
    gfn, offset, kind, choice = gpa >> 12, gpa & 0xFFF, choice & 3, choice >> 2
    if gfn in TABLES and kind:
        mode, level = TABLES[gfn]
        size = MODES[mode].size
        index = offset // size
        if level > 1 or not WINDOW <= index < WINDOW + 0x60:
            allowed = entries(gfn)
            return index * size, allowed[choice % len(allowed)], size
    size = 1 << (choice & 3)
    offset = min(offset + (choice >> 2 & 7), 4096 - size)
    if gfn in TABLES or gfn == PDPTS or gfn in SPARE:
        return offset, vm.peek(gfn << 12 | offset, size), size
    return offset, choice % (1 << 8 * size), size
