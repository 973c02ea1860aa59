# SPDX-License-Identifier: GPL-2.0-only
"""What became of each bit of a guest's entry in the shadow's, and why: copied, withheld, refused, or out of date."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ..mmu.arena import FIRST_SHADOW
from ..mmu.bits import (
    ACCESSED,
    BASE_MASK,
    DIRTY,
    GLOBAL,
    INVALID_PAGE,
    IO_MARK,
    NONPAGING,
    NX,
    PAGE_SHIFT,
    PRESENT,
    SHADOW_USER,
    SHADOW_WRITABLE,
    USER,
    WRITABLE,
    guest_format,
)
from ..mmu.machine import Machine
from ..read.entries import shadow_target
from ..read.paths import PDPT, Step, guest_path, maps_large, shadow_path

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

KEPT = PRESENT | ACCESSED | DIRTY | GLOBAL | NX


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
    guest: Step | None
    shadow: Step | None
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
