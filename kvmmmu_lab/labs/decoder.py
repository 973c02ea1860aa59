# SPDX-License-Identifier: GPL-2.0-only
"""`entry_decoder`: 64 bits spelled out, and what the host makes of a guest entry."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from ..draw.rows import LEVELS
from ..errors import InputError, LabError
from ..mmu import Vm, checks
from ..mmu.arena import FIRST_SHADOW
from ..mmu.bits import IO_MARK, LARGE, PAGE_SHIFT, PRESENT, USER
from ..mmu.pool import NUM_PAGES
from ..read.entries import flags, shadow_target, spell, withheld
from ..read.paths import shadow_path
from .decoder_text import parse
from .lab import Lab
from .spelling import Bits, frame_of, guest_bits, shadow_bits
from .tables import MODES, ROOT, GuestTable
from .why import Ask, Before, explain

KINDS = ("guest", "shadow")
EXAMPLE = 0x8000000002B45C65


def entry_decoder(entry: int | str = EXAMPLE, kind: str = "guest", mode: str = "64", level: int = 1, **parts: Any) -> Decoder:
    """A decoder of entries: ``kind`` "guest" or "shadow"; ``mode`` "32", "32 pse", "pae" or "64".

    ``parts`` (``set_spte=...``) make the shadow entries that it shows. Raises InputError.
    """
    return Decoder(entry, kind, mode, level, parts)


@dataclass(frozen=True)
class Made:
    """What the host made of a guest entry for one access: the outcome, the shadow entry (or None), reasons."""

    access: str
    outcome: str
    entry: int | None
    says: str
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        entry = "no shadow entry" if self.entry is None else f"{self.entry:#018x}  {self.says}"
        return "\n".join([f"{self.access}: {self.outcome}", f"  {entry}", *(f"  - {reason}" for reason in self.reasons)])


class Decoder(Lab):
    """``value`` is the entry; `read` takes text, `toggle` a bit, `choose` kind, mode and level; `made` asks the engine."""

    title = "What does this entry say?"

    def __init__(self, entry: int | str, kind: str, mode: str, level: int, parts: dict[str, Any]) -> None:
        super().__init__(parts)
        self.kind, self.mode, self.level, self.value = "guest", "64", 1, 0
        self.choose(kind, mode, level)
        if isinstance(entry, str):
            self.read(entry)
        else:
            self.set(entry)

    @functools.cached_property
    def form(self) -> Any:
        """The form. Raises ImportError without ipywidgets."""
        from .decoder_form import DecoderForm

        return DecoderForm(self)

    @property
    def width(self) -> int:
        """Bits of an entry of this kind."""
        return 8 * MODES[self.mode].form.size if self.kind == "guest" else 64

    def choose(self, kind: str | None = None, mode: str | None = None, level: int | None = None) -> None:
        """Another kind, mode or level. What doesn't fit into a shorter entry is cut off."""
        kind, mode = kind or self.kind, mode or self.mode
        if kind not in KINDS:
            raise InputError("kind", kind, f"one of {', '.join(KINDS)}")
        if mode not in MODES or not MODES[mode].levels:
            raise InputError("mode", mode, "32, 32 pse, pae or 64")
        level = self.level if level is None else checks.whole("level", level)
        top = self.levels(kind, mode)
        if not 1 <= level <= top:
            raise InputError("level", level, f"1..{top}")
        self.kind, self.mode, self.level = kind, mode, level
        self.value &= (1 << self.width) - 1

    @staticmethod
    def levels(kind: str, mode: str) -> int:
        """The highest level of an entry: the shadow of a 32-bit or PAE guest has tables at levels 2 and 1."""
        return MODES[mode].levels if kind == "guest" or mode == "64" else 2

    def read(self, text: str) -> None:
        """Take a number as it was pasted: hexadecimal, binary, decimal."""
        self.value = parse(text, self.width)

    def set(self, value: int) -> None:
        """Take a number."""
        value = checks.whole("entry", value)
        if not 0 <= value < 1 << self.width:
            raise InputError("entry", value, f"an unsigned number of {self.width} bits")
        self.value = value

    def toggle(self, bit: int) -> None:
        """Turn a bit over."""
        bit = checks.whole("bit", bit)
        if not 0 <= bit < self.width:
            raise InputError("bit", bit, f"0..{self.width - 1}")
        self.value ^= 1 << bit

    def set_frame(self, frame: int) -> None:
        """Put another frame number into the entry. It has to fit, and a large page begins where its size allows."""
        field = next(field for field in self.bits() if field.letter == "frame")
        frame = checks.whole("frame", frame)
        value, room = frame << PAGE_SHIFT, (1 << field.high + 1) - (1 << field.low)
        if value & ~room:
            step = 1 << field.low - PAGE_SHIFT
            kind = "a frame number" if step == 1 else f"a frame number that is a multiple of {step:#x}, and"
            raise InputError("frame", frame, f"{kind} below {1 << field.high + 1 - PAGE_SHIFT:#x}")
        self.value = self.value & ~room | value

    # What it says

    def bits(self) -> list[Bits]:
        """Its fields, the lowest first."""
        if self.kind == "shadow":
            return shadow_bits(self.level, self.value)
        return guest_bits(MODES[self.mode], self.level, self.value)

    @property
    def frame(self) -> int:
        """The frame number in it."""
        return frame_of(self.bits(), self.value)

    @property
    def large(self) -> bool:
        """Whether it is a guest entry that maps a large page."""
        return self.kind == "guest" and self.level == 2 and MODES[self.mode].pse and bool(self.value & LARGE)

    @property
    def meaning(self) -> str:
        """All of it in one sentence."""
        if not self.value & PRESENT:
            return self._absent()
        words = spell(self.value, withheld(self.level, self.value) & ~self.value if self.kind == "shadow" else 0)
        return f"It leads to {self._target()}: {words}."

    def _absent(self) -> str:
        if self.kind == "shadow" and self.level == 1 and self.value & IO_MARK:
            return f"An I/O entry: no memory is behind gfn {self.frame:#x}, and every access to it is emulated."
        if self.kind == "guest" and self.value:
            return "Not present. A walk ends here, and the other bits are the guest's own business (a place in its swap, say)."
        return "Empty." if not self.value else "Not present: the processor stops here."

    def _target(self) -> str:
        if self.kind == "shadow":
            page = self.frame - FIRST_SHADOW
            return f"shadow page #{page}" if 0 <= page < NUM_PAGES else f"host frame {self.frame:#x}"
        if self.large:
            return f"a large page of {4 if self.width == 32 else 2} MB, from gfn {self.frame:#x} on"
        return f"gfn {self.frame:#x}" + f", the level-{self.level - 1} table" * (self.level > 1)

    # What the host makes of it

    def made(self) -> list[Made]:
        """What the engine makes of this guest entry for a read and for a write, each on a machine of its own."""
        if self.kind == "shadow":
            return []
        return [self._made(write=False), self._made(write=True)]

    def _made(self, write: bool) -> Made:
        user = bool(self.value & USER)
        ask = Ask(MODES[self.mode].gva, write, user)
        who = f"{'user code' if user else 'the kernel'} {'writes' if write else 'reads'}"
        try:
            vm = self.guarded(self.scratch)
            before, free = Before.of(vm, ask), len(vm.pool.free)
            result = self.guarded(lambda: vm.access(ask.gva, write=write, user=user))
        except LabError as error:
            return Made(who, "it ends here", None, "", (f"{error}.",))
        reasons = explain(vm, before, result.outcome, result.error, 0)
        if self.level > 1 and not self.large and result.outcome in ("ok", "emul") and len(vm.pool.free) < free:
            reasons.append(
                "A link to a shadow table has P, W, U and A, whatever the guest's entry says: rights of the levels above "
                "are taken from the last shadow entry only."
            )
        return Made(who, _outcome(result), *_entry(vm, ask.gva, 1 if self.large else self.level), tuple(reasons))

    def scratch(self) -> Vm:
        """A machine whose guest has this entry on the path of one address, with all rights at the other levels."""
        table = GuestTable(self.mode)
        form, gfn = table.mode.form, self.frame
        large = self.large
        span = 1 << form.index_bits if large else 1
        begin = gfn & -span
        base = ROOT if begin > ROOT + 16 else begin + span + ROOT  # tables stand apart from what the entry leads to
        table.gfns = {level: base + table.mode.levels - level for level in range(table.mode.levels, 0, -1)}
        if self.level > 1 and not large:
            table.gfns[self.level - 1] = gfn
        table.frame = gfn if self.level == 1 or large else base + 8
        table.flags[self.level] = self.value & ~(form.large_base if large else form.base)
        table.slots = [(base, 16), (begin, span)]
        return table.vm(**self.parts)

    def state(self) -> str:
        """Every bit, the meaning, and what the host makes of it."""
        digits = self.width // 4
        of = f"{self.kind} entry, {MODES[self.mode].name}"
        rows = [f"{field.where:>6}  {content(field, self.value):<14}{field.letter:<6}{field.words}" for field in self.bits()]
        made = [line for made in self.made() for line in ("", str(made))]
        number = f"{self.value:#0{digits + 2}x} = {self.value}"
        head = f"{number}   ({of}, level {self.level}, {LEVELS[self.level]})"
        return "\n".join([head, flags(self.value), self.meaning, "", *rows, *made])


def content(field: Bits, value: int) -> str:
    """What a field holds, as text."""
    content = field.of(value)
    if field.letter == "frame":
        return f"{content << field.low - PAGE_SHIFT:#x}"
    return str(content) if field.low == field.high else f"{content:#x}"


def _outcome(result: Any) -> str:
    if result.outcome == "inject":
        return f"the guest gets a page fault, error code {result.error}"
    words = {"ok": "it goes through", "emul": "the host carries it out", "mmio": "a device answers"}
    return words.get(result.outcome, "the same fault for ever")


def _entry(vm: Vm, gva: int, level: int) -> tuple[int | None, str]:
    """The shadow entry of a level on gva's path, and what it says; None where there is none."""
    value = next((step.entry for step in shadow_path(vm, gva).steps if step.level == level and step.entry), None)
    if value is None:
        return None, ""
    kept = withheld(level, value) & ~value
    return value, f"{flags(value, kept)} {shadow_target(vm, value)}"
