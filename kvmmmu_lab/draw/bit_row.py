# SPDX-License-Identifier: GPL-2.0-only
"""The bits of a guest entry in one row, and below them the bits of the shadow entry that is made from them.

This is the compact form of `entry_bits`: only the bits that the kernel looks at when it makes a shadow entry, highest bit
left. An arrow leads from each bit of the guest to the bit that is copied from it. W and U of the guest have two rows: the
bit of this entry, and whether all entries above allow it, too. The second row of a bit of the shadow entry says in a word
what became of the guest's. A film of it marks the bits that change.
"""

from __future__ import annotations

from ..inspect.keys import PDPT, Key
from ..inspect.names import LEVELS, key_name
from ..mmu.bits import BASE_MASK, PAGE_SHIFT, USER, WRITABLE, guest_format
from ..mmu.machine import Machine
from .entry_bits import (
    ABOVE,
    CHANGED_SINCE,
    CLEAN,
    COPIED,
    EITHER,
    LATER,
    MARKS,
    NO_MEMORY,
    REASONS,
    TABLE,
    WP_USER,
    WP_WRITE,
    BitField,
    Pair,
    outcome,
    pair_of,
)
from .entry_bits import FRAME as FRAME_FIELD
from .entry_bits import LOW as LOW_FIELDS
from .entry_bits import NO_EXECUTION as NX_FIELD
from .scene import Edge, Entry, Marks, Scene, Table

GUEST_ROW, SHADOW_ROW = Key("e:g"), Key("e:s")
"""The keys of the boxes with the names of the two entries. The key of the box of guest bit 1 is "b1:g"."""

NAMED = 12
"""The column of the names of the two entries; the bits follow to the right."""

FLAGS = [field for field in reversed(LOW_FIELDS) if field.letters in ("G", "D", "A", "U", "W", "P")]
ROW = (NX_FIELD, FRAME_FIELD, *reversed(MARKS), *FLAGS)
"""The bits that are drawn, from left to right."""

TITLES = {9: "I/O", 10: "mW", 11: "mU"}
"""The titles of the marks, by bit."""

EMPTY = "-"
"""What stands for each bit of an entry that doesn't exist."""

TITLED = (
    ("guest", "Guest entry", "above: whether all entries above allow it, too"),
    ("shadow", "Shadow entry", ""),
)
"""The titles of the boxes. That of the lower box ends above the names of the entries: arrows lead down beside it."""

LEGEND = "mU, mW: the marks, what the guest allows; I/O: no memory there; = copied, held: withheld, no: refused above"

FATES = {
    COPIED: "=",
    ABOVE[0]: "no",
    CHANGED_SINCE[0]: "!=",
    NO_MEMORY[0]: "!=",
    LATER[0]: "held",
    EITHER[0]: "held",
    TABLE[0]: "held",
    CLEAN[0]: "held",
    WP_WRITE[0]: "WP",
    WP_USER[0]: "WP",
}
"""What the second row of a shadow bit says, by its outcome in a few words."""


def bit_row_scene(vm: Machine, gva: int, marks: Marks | None = None) -> Scene:
    """Return the bits of the last guest entry on gva's path, and of the level-1 shadow entry. Addresses aren't checked here."""
    pair, now = pair_of(vm, gva, 1), marks or Marks()
    tables = [_named(pair, "guest"), _named(pair, "shadow")]
    edges = []
    for column, field in zip(range(NAMED - 1, 0, -1), ROW, strict=True):
        guest = None if field.low in TITLES else _guest_bit(pair, field, column, now)
        tables += [guest] if guest else []
        tables.append(_shadow_bit(pair, field, column, now))
        if guest and _copied(pair, field):
            edges.append(Edge(guest.key, tables[-1].key, "link"))
    if pair.s:
        edges += [Edge(_key(low, "g"), _key(low + 9, "s"), "link") for low in (1, 2) if pair.s >> low + 9 & 1]
    reasons = ((field, outcome(pair, field)[1]) for field in ROW) if pair.s else ()
    notes = [f"{_title(field)} (bit {field.name}): {says}" for field, says in reasons if says in REASONS]
    notes.append(LEGEND)
    return Scene(f"gva {gva:#x}: from the guest's entry to the shadow's", tuple(tables), tuple(edges), tuple(notes), (), TITLED)


def _key(low: int, side: str) -> Key:
    return Key(f"b{low}:{side}")


def _title(field: BitField) -> str:
    return TITLES.get(field.low, field.letters)


def _named(pair: Pair, side: str) -> Table:
    """Return the box that says which entry a row shows."""
    step = pair.guest if side == "guest" else pair.shadow
    if side == "guest":
        if step is None:
            return Table(GUEST_ROW, side, NAMED, 0, "none", ("the walk ends above",))
        where = "in registers" if step.table == PDPT else f"of gfn {step.number:#x}"
        return Table(GUEST_ROW, side, NAMED, 0, f"{LEVELS[step.level]} entry {step.index}", (where,))
    if step is None:
        return Table(SHADOW_ROW, side, NAMED, 0, "spte", ("not made yet",))
    return Table(SHADOW_ROW, side, NAMED, 0, "spte", (key_name(step.key),))


def _guest_bit(pair: Pair, field: BitField, column: int, marks: Marks) -> Table | None:
    """Return the box of a bit of the guest's entry; None if entries of this guest have no such bit."""
    if field == NX_FIELD and guest_format(pair.vm.root_level).size == 4:
        return None
    key, step = _key(field.low, "g"), pair.guest
    value = EMPTY if step is None else f"{pair.gfn or 0:#x}" if field == FRAME_FIELD else str(pair.g >> field.low & 1)
    changed = _changed(marks, step.key if step else None, pair.g, field)
    above, words = "", "the entries above don't matter"
    if 1 << field.low in (WRITABLE, USER):
        above = f"above {EMPTY if step is None else int(bool(pair.above & 1 << field.low))}"
        words = f"whether all entries above have {field.letters}"
    rows = Entry(key.entry(0), "", value, "", changed, _says(field, value)), Entry(key.entry(1), "", above, "", "", words)
    return Table(key, "guest", column, 0, _title(field), (field.name,), rows)


def _shadow_bit(pair: Pair, field: BitField, column: int, marks: Marks) -> Table:
    """Return the box of a bit of the shadow entry."""
    key, step = _key(field.low, "s"), pair.shadow
    value = EMPTY
    if pair.s:
        value = f"{(pair.s & BASE_MASK) >> PAGE_SHIFT:#x}" if field == FRAME_FIELD else str(pair.s >> field.low & 1)
    says = outcome(pair, field)[1] if pair.s else ""
    changed = _changed(marks, step.key if step else None, pair.s, field)
    row = Entry(key.entry(0), "", value, "", changed, says or _says(field, value))
    fate = Entry(key.entry(1), "", _fate(pair, field), "", "", says or _says(field, value))
    return Table(key, "shadow", column, 0, _title(field), (field.name,), (row, fate))


def _fate(pair: Pair, field: BitField) -> str:
    """Return in a word what became of the guest's bit."""
    if not pair.s:
        return ""
    short = outcome(pair, field)[0]
    if field == FRAME_FIELD:
        return "!=" if short.endswith("differs") else "=" if pair.io else "host"
    return FATES.get(short, "")


def _says(field: BitField, value: str) -> str:
    return f"bit {field.name}, {_title(field)}: {value}"


def _changed(marks: Marks, key: Key | None, value: int, field: BitField) -> str:
    """Return the mark of a bit: "changed" if it changed at this moment."""
    if key is None or marks.of.get(key) not in ("changed", "dead") or key not in marks.was:
        return ""
    return "changed" if (marks.was[key] ^ value) & field.mask else ""


def _copied(pair: Pair, field: BitField) -> bool:
    """Return whether a bit of the shadow entry is the guest's: an arrow says so."""
    if not pair.s or pair.guest is None:
        return False
    short = outcome(pair, field)[0]
    return not short.endswith("differs") if field == FRAME_FIELD else short == COPIED
