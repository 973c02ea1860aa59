# SPDX-License-Identifier: GPL-2.0-only
"""One entry bit by bit, the guest's and the shadow's beside each other, with what became of each bit and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ..inspect.entries import guest_target, shadow_target
from ..inspect.keys import PDPT, ROOTS, Key
from ..inspect.names import key_name
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
from . import scene_builder as row
from .scene import Entry, Marks, Scene
from .scene_builder import Draft

# FOLDED IN: draw.verdicts: What became of each bit of a guest's entry in the shadow's, and why: copied, withheld,
# refused, or out of date.


COPIED = "copied"
CHANGED_SINCE = "differs", "copied when the entry was made; the guest has changed its own since"
FIRST_WRITE = "differs", "copied before the first write, at which KVM set the guest's dirty bit, but not this one"
NO_MEMORY = "taken away", "no memory is there, so each access must fault and be emulated"
TABLE = "withheld: a page table", "the frame is itself a shadowed page table, so each write to it must be seen"
CLEAN = "withheld: not dirty yet", "the guest's dirty bit is clear, so the first write must be seen, to set it"
LATER = "taken away later", "write access was taken away: for a dirty log, or while the frame was a shadowed page table"
EITHER = "withheld or taken away", "the dirty bit was clear at first; or write access was taken away since, as for a dirty log"
ABOVE = "refused above", "the guest's entry allows it, one above it doesn't; the shadow checks rights at level 1 only"
ABOVE_SINCE = (
    "differs",
    ("made with the old rights: an entry above doesn't allow it any more, but what those allow isn't in a page's role (2007)"),
)
WIDER_SINCE = "differs", "made when this entry, or one above, didn't allow it; what those allow isn't in a page's role (2007)"
WP_WRITE = "for the kernel", "CR0.WP was clear when the kernel wrote: it may write here, user code not even read"
WP_USER = "withheld: kernel writes", "while the kernel may write here (CR0.WP was clear), user code may not even read"
LINK = "always, in a link", "an entry that leads to a shadow table allows all; rights are withheld at level 1 only"
FLAT = "always", "without paging every entry allows all"
SINCE = (CHANGED_SINCE, FIRST_WRITE, ABOVE_SINCE, WIDER_SINCE)
EXPLAINED = (*SINCE, NO_MEMORY, TABLE, CLEAN, LATER, EITHER, ABOVE, WP_WRITE, WP_USER)

REASONS = {says for _, says in EXPLAINED}
"""Those that need an explanation."""

KEPT = WIDE.copied


class Field(NamedTuple):
    """Some bits of an entry, from ``low`` on."""

    low: int
    high: int
    letters: str

    @property
    def mask(self) -> int:
        """The bits."""
        return (2 << self.high) - (1 << self.low)

    @property
    def name(self) -> str:
        """Their numbers."""
        return str(self.low) if self.low == self.high else f"{self.low}-{self.high}"


@dataclass(frozen=True)
class Pair:
    """A guest entry and the shadow entry that was, or would be, made from it; either may be missing."""

    vm: Machine
    level: int
    guest: PathEntry | None
    shadow: PathEntry | None
    above: int
    """W and U bits that all guest entries above allow."""

    gfn: int | None
    """The frame that the guest's path reaches."""

    @property
    def g(self) -> int:
        """The guest's entry."""
        return self.guest.entry if self.guest else 0

    @property
    def s(self) -> int:
        """The shadow's entry."""
        return self.shadow.entry if self.shadow and self.shadow.entry != INVALID_PAGE else 0

    @property
    def io(self) -> bool:
        """Whether the shadow entry says that no memory is there."""
        return self.level == 1 and not self.s & PRESENT and bool(self.s & IO_MARK)

    @property
    def leaf(self) -> bool:
        """Whether the shadow entry is of level 1."""
        return self.level == 1


def pair_of(vm: Machine, gva: int, level: int) -> Pair:
    """The two entries of a level on gva's path."""
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


def verdict(pair: Pair, field: Field) -> tuple[str, str]:
    """What became of a field, in two words and in a sentence."""
    bit = 1 << field.low
    if field.low == 12:
        return _frame(pair)
    if field.low in (9, 10, 11):
        return _marked(pair, field.low)
    if not pair.leaf or pair.vm.root_level == NONPAGING:
        return ("", "not copied") if not pair.s & bit else FLAT if pair.leaf else LINK
    if pair.guest is None:
        return "", "the guest's tables don't lead to an entry any more"
    if bit & KEPT and field.low != 52:
        return _kept(pair, bit)
    if bit == WRITABLE:
        return _writable(pair)
    if bit == USER:
        return _user(pair)
    return ("not copied", "the shadow has no use for it") if pair.g & field.mask else ("", "not copied")


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
    """A right that the shadow entry has: the guest's tables allowed it, and may not any more."""
    if not pair.g & bit:
        return CHANGED_SINCE
    return (COPIED, "the guest allows it") if pair.above & bit else ABOVE_SINCE


def _refused(pair: Pair, bit: int) -> tuple[str, str]:
    if not pair.g & bit:
        return COPIED, "the guest doesn't allow it"
    return WIDER_SINCE if pair.above & bit else ABOVE


def _marked(pair: Pair, bit: int) -> tuple[str, str]:
    """The three bits that the kernel uses for itself."""
    there = bool(pair.s >> bit & 1)
    if bit == 9:
        if pair.leaf:
            return ("no memory (I/O)", "an access here is emulated") if there else ("", "set where no memory is")
        return ("large page below", "the table below has no guest table") if there else ("", "set above a large page's pieces")
    if not pair.leaf or pair.guest is None:
        return "", "only used at level 1"
    what, now = "writing" if bit == 10 else "user access", bool(pair.g & pair.above & (WRITABLE if bit == 10 else USER))
    if there:
        return (f"guest allows {what}", "noted beside") if now else (f"once allowed {what}", "noted when the entry was made")
    return "", f"the guest {'did' if now else 'does'}n't allow {what}" + " when the entry was made" * now


def _frame(pair: Pair) -> tuple[str, str]:
    """Where the shadow entry leads, in the host's numbers."""
    vm, frame = pair.vm, (pair.s & BASE_MASK) >> PAGE_SHIFT
    target = shadow_target(vm, pair.s)
    if target.startswith("#"):
        page = vm.pool.pages[frame - FIRST_SHADOW]
        if pair.guest is not None and page.gfn != (pair.g & guest_format(vm.root_level).base) >> PAGE_SHIFT:
            return f"shadow page {target} differs", CHANGED_SINCE[1]
        return f"shadow page {target}", f"host frame {frame:#x}; it shadows gfn {page.gfn:#x}"
    if target.startswith("I/O"):
        return f"{target}, as it is", "the guest's frame number stays: there is no host frame"
    stale = pair.gfn is not None and vm.memory.frames[pair.gfn] != frame and bool(pair.g & PRESENT)
    if stale:
        return f"host {frame:#x} differs", CHANGED_SINCE[1]
    return f"host {frame:#x}", f"{target} is in host frame {frame:#x}"


*LOW, NO_EXECUTION = (Field(flag.bit, flag.bit, flag.name) for flag in sorted(FLAGS, key=lambda flag: flag.bit))
MARKS = tuple(Field(bit, bit, "mark") for bit in (9, 10, 11))
FRAME = Field(12, 51, "frame")
SHADOW_FIELDS = (*LOW, *MARKS, FRAME, Field(52, 62, ""), NO_EXECUTION)
FREE = tuple(Field(bit, bit, "free") for bit in (9, 10, 11))
WIDE_FIELDS = (*LOW, *FREE, FRAME, Field(52, 62, "free"), NO_EXECUTION)
NARROW_FIELDS = (*LOW, *FREE, Field(12, 31, "frame"))
MEANINGS = {flag.bit: flag.word for flag in FLAGS}


GUEST_BITS, SHADOW_BITS = Key("e:g"), Key("e:s")
"""The two boxes of `entry_bits_scene`."""


def entry_bits_scene(vm: Machine, gva: int, level: int = 1, marks: Marks | None = None) -> Scene:
    """The two entries of a level on gva's path. For a piece of a large page, the guest's is the one of the large page.

    Both are lists, not tables of the guest and the shadow: those would be drawn above each other, not side by side.
    """
    draft, pair = Draft(vm, marks), pair_of(vm, gva, level)
    guest, shadow = _guest_rows(draft, pair), _shadow_rows(draft, pair)
    draft.box(GUEST_BITS, "list", 1, 0, *_guest_heading(pair, gva), guest)
    draft.box(SHADOW_BITS, "list", 0, 0, *_shadow_heading(pair, gva), shadow)
    if pair.guest and pair.s:
        for source, target, kind in _edges(pair):
            draft.edge(GUEST_BITS.entry(source), SHADOW_BITS.entry(target), kind)
    notes = [f"bit {entry.index} ({entry.flags}): {entry.says}" for entry in shadow if entry.says in REASONS]
    return draft.scene(f"gva {gva:#x}, level {level}: the guest's entry and the shadow's, bit by bit", notes)


def _guest_heading(pair: Pair, gva: int) -> tuple[str, tuple[str, ...]]:
    vm, step = pair.vm, pair.guest
    if step is None:
        last = guest_path(vm, gva).steps
        if not vm.root_level:
            return "no guest entry", ("the guest isn't paging",)
        if pair.level > vm.root_level:
            return "no guest entry", (f"its tables have {vm.root_level} levels",)
        return "no guest entry", (f"the walk ends at the {row.LEVELS[last[-1].level]}",)
    digits = 2 * guest_format(vm.root_level).size
    where = "CR3's four" if step.table == PDPT else f"gfn {step.number:#x}"
    return f"guest {row.LEVELS[step.level]} entry {step.index}", (f"0x{step.entry:0{digits}x}", f"in {where}")


def _shadow_heading(pair: Pair, gva: int) -> tuple[str, tuple[str, ...]]:
    step = pair.shadow
    if step is None:
        steps = shadow_path(pair.vm, gva).steps
        return "no shadow entry", (f"the shadow ends at level {steps[-1].level}" if steps else "there is no root",)
    title = "shadow entry " * (step.table != ROOTS) + key_name(step.key)
    return title, (f"0x{step.entry:016x}", f"of level {pair.level}" if pair.s else "empty: no access came here")


def _value(field: Field, entry: int) -> int:
    return (entry & field.mask) >> field.low


def _guest_rows(draft: Draft, pair: Pair) -> list[Entry]:
    """The guest's bits, with their meaning."""
    vm, step = pair.vm, pair.guest
    if step is None:
        return []
    fields = NARROW_FIELDS if guest_format(vm.root_level).size == 4 else WIDE_FIELDS
    return [_guest_row(draft, pair, step, field) for field in fields]


def _guest_row(draft: Draft, pair: Pair, step: PathEntry, field: Field) -> Entry:
    value, letters = _value(field, step.entry), field.letters
    says = MEANINGS.get(field.low, "for software")
    if field.low == 7 and step.level == 1:
        letters, says = "PAT", "memory type"
    target = f"{value:#x} {says}" if field.high > field.low else f"{value}   {says}"
    if field.low == 12:
        target, says = guest_target(pair.vm, step.level, step.entry | PRESENT), "where it leads"
        if step.level == 2 and "M" in target:
            target = f"{row.large_page(pair.vm.root_level)} at gfn {target.split()[-1]}"
    return Entry(GUEST_BITS.entry(field.low), field.name, letters, target, _changed(draft, step, field), says)


def _shadow_rows(draft: Draft, pair: Pair) -> list[Entry]:
    """The shadow's bits, with what became of the guest's."""
    step = pair.shadow
    if step is None:
        return []
    rows = []
    for field in SHADOW_FIELDS:
        value = _value(field, pair.s)
        short, says = verdict(pair, field) if pair.s else ("", "")
        number = f"{value:#x}" if field.high > field.low else str(value)
        target = short if short and field.low == 12 else f"{number:<4}{short}".rstrip()
        rows.append(Entry(SHADOW_BITS.entry(field.low), field.name, field.letters, target, _changed(draft, step, field), says))
    return rows


def _changed(draft: Draft, step: PathEntry, field: Field) -> str:
    """What this moment did to some bits of an entry."""
    mark, was = draft.mark(step.key), draft.marks.was.get(step.key)
    if mark not in ("changed", "dead") or was is None:
        return ""
    return "changed" if (was ^ step.entry) & field.mask else ""


def _edges(pair: Pair) -> list[tuple[int, int, str]]:
    """From a guest's bit to the shadow's: solid where it was handed on, dashed ("read only") where W was withheld."""
    found = [(12, 12, "link")] if _frame_copied(pair) else []
    if not pair.leaf:
        return found
    for field in (*LOW, NO_EXECUTION):
        bit = 1 << field.low
        if field.low == 63 and pair.vm.root_level == ROOT_32:
            continue
        if verdict(pair, field)[0] == COPIED:
            found.append((field.low, field.low, "link"))
        elif bit == WRITABLE and pair.g & bit and not pair.s & bit:
            found.append((field.low, field.low, "readonly"))
    found += [(low, low + 9, "link") for low in (1, 2) if pair.s >> low + 9 & pair.g >> low & 1]
    return found


def _frame_copied(pair: Pair) -> bool:
    return not verdict(pair, FRAME)[0].endswith("differs")

