# SPDX-License-Identifier: GPL-2.0-only
"""The picture of a guest entry beside its shadow entry, bit by bit: whether each bit was copied, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ..inspect.entries import guest_target, shadow_target
from ..inspect.keys import PDPT, ROOTS, Key
from ..inspect.names import LEVELS, key_name
from ..inspect.paths import PathEntry, guest_path, maps_large, shadow_path
from ..mmu.bits import (
    BASE_MASK,
    DIRTY,
    FLAGS,
    INVALID_PAGE,
    IO_MARK,
    NONPAGING,
    NX,
    PAGE_SHIFT,
    PRESENT,
    ROOT_32,
    SHADOW_USER,
    SHADOW_WRITABLE,
    USER,
    WIDE,
    WRITABLE,
    guest_format,
)
from ..mmu.machine import Machine
from ..mmu.memory import FIRST_SHADOW
from .scene import Entry, Marks, Scene
from .scene_builder import SceneBuilder, large_page


class BitField(NamedTuple):
    """The bits ``low`` to ``high`` of an entry, and the letters that name them in a picture."""

    low: int
    high: int
    letters: str

    @property
    def mask(self) -> int:
        """An integer with these bits set and all others clear."""
        return (2 << self.high) - (1 << self.low)

    @property
    def name(self) -> str:
        """The bit numbers as text, such as "12-51"."""
        return str(self.low) if self.low == self.high else f"{self.low}-{self.high}"


*LOW, NO_EXECUTION = (BitField(flag.bit, flag.bit, flag.name) for flag in sorted(FLAGS, key=lambda flag: flag.bit))
MARKS = tuple(BitField(bit, bit, "mark") for bit in (9, 10, 11))
FRAME = BitField(12, 51, "frame")
SHADOW_FIELDS = (*LOW, *MARKS, FRAME, BitField(52, 62, ""), NO_EXECUTION)
FREE = tuple(BitField(bit, bit, "free") for bit in (9, 10, 11))
WIDE_FIELDS = (*LOW, *FREE, FRAME, BitField(52, 62, "free"), NO_EXECUTION)
NARROW_FIELDS = (*LOW, *FREE, BitField(12, 31, "frame"))
MEANINGS = {flag.bit: flag.word for flag in FLAGS}


GUEST_BITS, SHADOW_BITS = Key("e:g"), Key("e:s")
"""The two boxes of `entry_bits_scene`."""


@dataclass(frozen=True)
class Pair:
    """A guest entry and the shadow entry that was made, or would be made, from it. Either may be missing."""

    vm: Machine
    level: int
    guest: PathEntry | None
    shadow: PathEntry | None
    above: int
    """The bits of W and U that are set in every guest entry of a higher level."""

    gfn: int | None
    """The frame that the guest's path reaches."""

    @property
    def g(self) -> int:
        """The value of the guest entry; 0 if there is none."""
        return self.guest.entry if self.guest else 0

    @property
    def s(self) -> int:
        """The value of the shadow entry; 0 if there is none."""
        return self.shadow.entry if self.shadow and self.shadow.entry != INVALID_PAGE else 0

    @property
    def io(self) -> bool:
        """Whether the shadow entry marks a gfn without memory."""
        return self.level == 1 and not self.s & PRESENT and bool(self.s & IO_MARK)

    @property
    def leaf(self) -> bool:
        """Whether the entries are of level 1."""
        return self.level == 1


def pair_of(vm: Machine, gva: int, level: int) -> Pair:
    """Return the two entries of a level on gva's path. In a large page, levels 1 and 2 have the same guest entry."""
    path = guest_path(vm, gva)
    steps = {step.level: step for step in path.steps}
    last = path.steps[-1] if path.steps else None
    guest = steps.get(level)
    if level == 1 and last is not None and last.level == 2 and maps_large(vm, 2, last.entry):
        guest = last
    above = WRITABLE | USER
    for step in path.steps:
        if guest is not None and step.level > guest.level and step.table != PDPT:
            above &= step.entry
    shadow = next((step for step in shadow_path(vm, gva).steps if step.level == level), None)
    return Pair(vm, level, guest, shadow, above, path.gfn)


def entry_bits_scene(vm: Machine, gva: int, level: int = 1, marks: Marks | None = None) -> Scene:
    """Return the two entries of a level on gva's path, bit by bit. They are chosen as in `pair_of`.

    Both boxes have the kind "list", so that they are side by side. A guest table would be drawn above its shadow page.
    """
    builder, pair = SceneBuilder(vm, marks), pair_of(vm, gva, level)
    guest, shadow = _guest_rows(builder, pair), _shadow_rows(builder, pair)
    builder.box(GUEST_BITS, "list", 1, 0, *_guest_heading(pair, gva), guest)
    builder.box(SHADOW_BITS, "list", 0, 0, *_shadow_heading(pair, gva), shadow)
    if pair.guest and pair.s:
        for source, target, kind in _edges(pair):
            builder.edge(GUEST_BITS.entry(source), SHADOW_BITS.entry(target), kind)
    notes = [f"bit {entry.index} ({entry.flags}): {entry.says}" for entry in shadow if entry.says in REASONS]
    return builder.scene(f"gva {gva:#x}, level {level}: the guest's entry and the shadow's, bit by bit", notes)


def _guest_heading(pair: Pair, gva: int) -> tuple[str, tuple[str, ...]]:
    vm, step = pair.vm, pair.guest
    if step is None:
        last = guest_path(vm, gva).steps
        if not vm.root_level:
            return "no guest entry", ("the guest isn't paging",)
        if pair.level > vm.root_level:
            return "no guest entry", (f"its tables have {vm.root_level} levels",)
        return "no guest entry", (f"the walk ends at the {LEVELS[last[-1].level]}",)
    digits = 2 * guest_format(vm.root_level).size
    where = "held in registers" if step.table == PDPT else f"in gfn {step.number:#x}"
    return f"guest {LEVELS[step.level]} entry {step.index}", (f"0x{step.entry:0{digits}x}", where)


def _shadow_heading(pair: Pair, gva: int) -> tuple[str, tuple[str, ...]]:
    step = pair.shadow
    if step is None:
        steps = shadow_path(pair.vm, gva).steps
        return "no shadow entry", (f"the shadow ends at level {steps[-1].level}" if steps else "there is no root",)
    title = "shadow entry " * (step.table != ROOTS) + key_name(step.key)
    return title, (f"0x{step.entry:016x}", f"of level {pair.level}" if pair.s else "empty: no access here yet")


def _value(field: BitField, entry: int) -> int:
    return (entry & field.mask) >> field.low


def _guest_rows(builder: SceneBuilder, pair: Pair) -> list[Entry]:
    """Return the bits of the guest entry with their meanings."""
    vm, step = pair.vm, pair.guest
    if step is None:
        return []
    fields = NARROW_FIELDS if guest_format(vm.root_level).size == 4 else WIDE_FIELDS
    return [_guest_row(builder, pair, step, field) for field in fields]


def _guest_row(builder: SceneBuilder, pair: Pair, step: PathEntry, field: BitField) -> Entry:
    value, letters = _value(field, step.entry), field.letters
    says = MEANINGS.get(field.low, "for software")
    if field.low == 7 and step.level == 1:
        letters, says = "PAT", "memory type"
    target = f"{value:#x} {says}" if field.high > field.low else f"{value}   {says}"
    if field.low == 12:
        target, says = guest_target(pair.vm, step.level, step.entry | PRESENT), "the target"
        if step.level == 2 and "M" in target:
            target = f"{large_page(pair.vm.root_level)} at gfn {target.split()[-1]}"
    return Entry(GUEST_BITS.entry(field.low), field.name, letters, target, _changed(builder, step, field), says)


def _shadow_rows(builder: SceneBuilder, pair: Pair) -> list[Entry]:
    """Return the bits of the shadow entry, each with the outcome for the guest's bit."""
    step = pair.shadow
    if step is None:
        return []
    rows = []
    for field in SHADOW_FIELDS:
        value = _value(field, pair.s)
        short, says = outcome(pair, field) if pair.s else ("", "")
        number = f"{value:#x}" if field.high > field.low else str(value)
        target = short if short and field.low == 12 else f"{number:<4}{short}".rstrip()
        rows.append(
            Entry(SHADOW_BITS.entry(field.low), field.name, field.letters, target, _changed(builder, step, field), says)
        )
    return rows


def _changed(builder: SceneBuilder, step: PathEntry, field: BitField) -> str:
    """Return the mark of a field: "changed" if one of its bits changed at this moment."""
    mark, was = builder.mark(step.key), builder.marks.was.get(step.key)
    if mark not in ("changed", "dead") or was is None:
        return ""
    return "changed" if (was ^ step.entry) & field.mask else ""


def _edges(pair: Pair) -> list[tuple[int, int, str]]:
    """Return edges from guest bits to shadow bits: "link" where a bit was copied, "readonly" where W was withheld."""
    found = [(12, 12, "link")] if _frame_copied(pair) else []
    if not pair.leaf:
        return found
    for field in (*LOW, NO_EXECUTION):
        bit = 1 << field.low
        if field.low == 63 and pair.vm.root_level == ROOT_32:
            continue
        if outcome(pair, field)[0] == COPIED:
            found.append((field.low, field.low, "link"))
        elif bit == WRITABLE and pair.g & bit and not pair.s & bit:
            found.append((field.low, field.low, "readonly"))
    found += [(low, low + 9, "link") for low in (1, 2) if pair.s >> low + 9 & pair.g >> low & 1]
    return found


def _frame_copied(pair: Pair) -> bool:
    return not outcome(pair, FRAME)[0].endswith("differs")


# The outcome for each bit: copied, withheld, refused, or out of date

COPIED = "copied"
CHANGED_SINCE = "differs", "copied when the entry was made; the guest has changed its entry since"
FIRST_WRITE = "differs", "copied before the first write, at which KVM set the guest's dirty bit but not this one"
NO_MEMORY = "taken away", "there is no memory, so each access must fault and be emulated"
TABLE = "withheld: a page table", "the frame is itself a shadowed page table, so KVM must see each write to it"
CLEAN = "withheld: not dirty yet", "the guest's dirty bit is clear, so the first write must fault and set it"
LATER = "taken away later", "write access was taken away: for a dirty log, or while the frame was a shadowed page table"
EITHER = (
    "withheld or taken away",
    "the dirty bit was clear at first, or write access was taken away since, for example for a dirty log",
)
ABOVE = "refused above", "the guest's entry allows it but one above doesn't; the shadow checks rights only at level 1"
ABOVE_SINCE = (
    "differs",
    "made with the old rights: an entry above no longer allows it, but a page's role has no rights from above (2007)",
)
WIDER_SINCE = "differs", "made when this entry, or one above, didn't allow it; a page's role has no rights from above (2007)"
WP_WRITE = (
    "for the kernel",
    "CR0.WP was clear when the kernel wrote: the kernel may write here, and user code may not even read",
)
WP_USER = "withheld: kernel writes", "while the kernel may write here because CR0.WP was clear, user code may not even read"
LINK = "always, in a link", "an entry that leads to a shadow page allows everything; rights are withheld only at level 1"
FLAT = "always", "without paging every entry allows everything"
SINCE = (CHANGED_SINCE, FIRST_WRITE, ABOVE_SINCE, WIDER_SINCE)
EXPLAINED = (*SINCE, NO_MEMORY, TABLE, CLEAN, LATER, EITHER, ABOVE, WP_WRITE, WP_USER)

REASONS = {says for _, says in EXPLAINED}
"""The sentences that the notes of the picture repeat."""

KEPT = WIDE.copied


def outcome(pair: Pair, field: BitField) -> tuple[str, str]:
    """Return the outcome for a field, in a few words and in a sentence."""
    bit = 1 << field.low
    if field.low == 12:
        return _frame(pair)
    if field.low in (9, 10, 11):
        return _marked(pair, field.low)
    if not pair.leaf or pair.vm.root_level == NONPAGING:
        return ("", "not copied") if not pair.s & bit else FLAT if pair.leaf else LINK
    if pair.guest is None:
        return "", "the guest's tables no longer lead to an entry"
    if bit & KEPT and field.low != 52:
        return _kept(pair, bit)
    if bit == WRITABLE:
        return _writable(pair)
    if bit == USER:
        return _user(pair)
    return ("not copied", "the shadow doesn't use it") if pair.g & field.mask else ("", "not copied")


def _kept(pair: Pair, bit: int) -> tuple[str, str]:
    if bit == PRESENT and pair.io:
        return NO_MEMORY
    if bit == NX and guest_format(pair.vm.root_level).size == 4:
        return "", "an entry of 4 bytes has no such bit"
    if pair.g & bit == pair.s & bit:
        return COPIED, "as the guest has it"
    return FIRST_WRITE if bit == DIRTY and pair.g & bit and pair.s & WRITABLE else CHANGED_SINCE


def _writable(pair: Pair) -> tuple[str, str]:
    vm, mark = pair.vm, pair.s & SHADOW_WRITABLE
    if pair.s & WRITABLE:
        return _allowed(pair, WRITABLE) if mark else WP_WRITE
    if mark:
        gfn = vm.memory.gfns[(pair.s & BASE_MASK) >> PAGE_SHIFT] if pair.s & PRESENT else None
        if gfn is not None and vm.pool.lookup(gfn) is not None:
            return TABLE
        return LATER if pair.s & DIRTY else EITHER if pair.g & DIRTY else CLEAN
    return _refused(pair, WRITABLE)


def _user(pair: Pair) -> tuple[str, str]:
    if pair.s & USER:
        return _allowed(pair, USER) if pair.s & SHADOW_USER else CHANGED_SINCE
    if pair.s & SHADOW_USER:
        return WP_USER
    return _refused(pair, USER)


def _allowed(pair: Pair, bit: int) -> tuple[str, str]:
    """Return the outcome for an access right that the shadow entry grants. The guest's tables may have withdrawn it since."""
    if not pair.g & bit:
        return CHANGED_SINCE
    return (COPIED, "the guest allows it") if pair.above & bit else ABOVE_SINCE


def _refused(pair: Pair, bit: int) -> tuple[str, str]:
    if not pair.g & bit:
        return COPIED, "the guest doesn't allow it"
    return WIDER_SINCE if pair.above & bit else ABOVE


def _marked(pair: Pair, bit: int) -> tuple[str, str]:
    """Return the outcome for one of the three bits that the kernel uses itself."""
    there = bool(pair.s >> bit & 1)
    if bit == 9:
        if pair.leaf:
            return ("no memory (I/O)", "an access here is emulated") if there else ("", "set where there is no memory")
        return ("large page below", "the table below has no guest table") if there else ("", "set above a large page's pieces")
    if not pair.leaf or pair.guest is None:
        return "", "only used at level 1"
    what, now = "writing" if bit == 10 else "user access", bool(pair.g & pair.above & (WRITABLE if bit == 10 else USER))
    if there:
        return (
            (f"guest allows {what}", "a copy of the guest's right")
            if now
            else (f"once allowed {what}", "a copy of the right from when the entry was made")
        )
    return "", f"the guest {'did' if now else 'does'}n't allow {what}" + " when the entry was made" * now


def _frame(pair: Pair) -> tuple[str, str]:
    """Return the outcome for the frame number: the host frame that the shadow entry contains."""
    vm, frame = pair.vm, (pair.s & BASE_MASK) >> PAGE_SHIFT
    target = shadow_target(vm, pair.s)
    if target.startswith("#"):
        page = vm.pool.pages[frame - FIRST_SHADOW]
        if pair.guest is not None and page.gfn != (pair.g & guest_format(vm.root_level).base) >> PAGE_SHIFT:
            return f"shadow page {target} differs", CHANGED_SINCE[1]
        return f"shadow page {target}", f"host frame {frame:#x}; it shadows gfn {page.gfn:#x}"
    if target.startswith("I/O"):
        return f"{target}, as it is", "the guest's frame number: there is no host frame"
    stale = pair.gfn is not None and vm.memory.frames[pair.gfn] != frame and bool(pair.g & PRESENT)
    if stale:
        return f"host {frame:#x} differs", CHANGED_SINCE[1]
    return f"host {frame:#x}", f"{target} is in host frame {frame:#x}"
