# SPDX-License-Identifier: GPL-2.0-only
"""`entry_decoder`: 64 bits spelled out, and what the host makes of a guest entry."""

from __future__ import annotations

import functools
import html
import re
from dataclasses import dataclass
from typing import Any

from ..draw.scene_builder import LEVELS
from ..errors import InputError, LabError
from ..inspect.entries import flags, shadow_target, spell, withheld
from ..inspect.paths import shadow_path
from ..mmu import Vm, checks
from ..mmu.bits import IO_MARK, LARGE, MODES, PAGE_SHIFT, PRESENT, USER
from ..mmu.memory import FIRST_SHADOW
from ..mmu.pool import NUM_PAGES
from ..player.cell_output import close_all
from .entry_fields import Bits, frame_of, guest_bits, shadow_bits
from .explain_access import Ask, Before, explain
from .guests import GVAS, ROOT, GuestTable
from .lab import Lab
from .widgets import ROW, Form, menu, row, status, switch

# FOLDED IN: labs.decoder_text: Reading numbers as people paste them: hexadecimal, binary or decimal, with spaces and
# underscores.


EXPECTED = (
    "a number of at most 64 bits: hexadecimal with 0x before it, binary with 0b before it, or decimal; without 0x, digits "
    "are taken for hexadecimal only if a letter from a to f is among them"
)


def parse(text: str, bits: int = 64) -> int:
    """The number that ``text`` says.

    >>> hex(parse("0x80000000_02b45c65")), parse("0b1 0110 0111"), parse("1_000"), hex(parse("2b4 5c65"))
    ('0x8000000002b45c65', 359, 1000, '0x2b45c65')

    32 or 64 zeroes and ones are taken for bits. Raises InputError.
    """
    if not isinstance(text, str):
        raise InputError("text", text, EXPECTED)
    plain = re.sub(r"[\s_,'`|]", "", text).lower()
    value = None
    for pattern, base in (
        (r"0x[0-9a-f]+", 16),
        (r"0b[01]+", 2),
        (r"[01]{32}|[01]{64}", 2),
        (r"[0-9]+", 10),
        (r"[0-9][0-9a-f]*h", 16),
        (r"(?!0b)[0-9a-f]+", 16),
    ):
        if re.fullmatch(pattern, plain):
            value = int(plain.removesuffix("h"), base) if len(plain) <= 80 else None
            break
    if value is None or value >= 1 << bits:
        raise InputError("text", text, EXPECTED.replace("64", str(bits)))
    return value


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
    """``value`` is the entry; `inspect` takes text, `toggle` a bit, `choose` kind, mode and level; `made` asks the engine."""

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
        pass

        return DecoderForm(self)

    @property
    def width(self) -> int:
        """Bits of an entry of this kind."""
        return 8 * MODES[self.mode].format.size if self.kind == "guest" else 64

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
        return self.kind == "guest" and self.level == 2 and MODES[self.mode].large_pages and bool(self.value & LARGE)

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
        ask = Ask(GVAS[self.mode], write, user)
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
        form, gfn = table.mode.format, self.frame
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
        of = f"{self.kind} entry, {MODES[self.mode].title}"
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


# FOLDED IN: labs.decoder_form: The form of `entry_decoder`.


CELL = "text-align:left;padding:1px 12px 1px 0;vertical-align:top"


class DecoderForm(Form):
    """The number, kind, mode and level; a button for each bit; all of it spelled out."""

    lab: Decoder

    def controls(self) -> list[Any]:
        """The number and what it is taken for."""
        import ipywidgets as widgets

        lab = self.lab
        self.number = self.field("text", "Entry", hex(lab.value), "A number: hexadecimal, binary or decimal", width="420px")
        self.number.text.observe(lambda change: self.act(self.read), "value")
        self.kind = menu("It is a", [("guest entry", "guest"), ("shadow entry", "shadow")], lab.kind, "Whose entry it is")
        modes = [(mode.title, key) for key, mode in MODES.items() if mode.levels]
        self.mode = menu("of a guest", modes, lab.mode, "The guest's mode")
        self.level = menu("level", [], None, "The level of its table")
        for box in (self.kind, self.mode, self.level):
            box.observe(lambda change: self.act(self.choose), "value")
        self.frame = self.field("frame", "Frame", "0x0", "The frame number in the entry (gfn, or host frame)", width="240px")
        self.frame.text.observe(lambda change: self.act(self.set_frame), "value")
        self.toggles = widgets.HBox(layout=ROW)
        self.filling = False
        self.shown: list[tuple[int, str, str]] = []
        return [row(self.kind, self.mode, self.level), self.number.box, self.toggles, self.frame.box]

    def read(self) -> None:
        """The number was changed."""
        if not self.filling:
            self.lab.read(self.number.text.value)

    def choose(self) -> None:
        """Kind, mode or level was changed."""
        if not self.filling:
            top = self.lab.levels(self.kind.value, self.mode.value)
            self.lab.choose(self.kind.value, self.mode.value, min(self.level.value or 1, top))

    def set_frame(self) -> None:
        """The frame was changed."""
        if not self.filling:
            try:
                frame = parse(self.frame.text.value)
            except InputError as error:
                raise InputError("frame", error.got, error.expected) from None
            self.lab.set_frame(frame)

    def refresh(self) -> None:
        """Everything as the entry is now."""
        lab, self.filling = self.lab, True
        try:
            levels = range(lab.levels(lab.kind, lab.mode), 0, -1)
            self.level.options = [(f"{level} ({LEVELS[level]})", level) for level in levels]
            self.level.value = lab.level
            self.number.text.value = f"{lab.value:#0{lab.width // 4 + 2}x}"
            self.frame.text.value = hex(lab.frame)
            self._build_toggles()
        finally:
            self.filling = False
        self.status.value = status(f"<b>{html.escape(lab.meaning)}</b>")
        self.picture.value = _spelled(lab)
        self.state.value = _side_by_side(lab.made())

    def _build_toggles(self) -> None:
        old = self.toggles.children
        bits = sorted(self._bits())
        if bits == self.shown:  # the one that was clicked keeps the focus
            for button in old:
                button.value = bool(self.lab.value >> button.bit & 1)
            return
        self.shown, self.toggles.children = bits, [self._toggle(*bit) for bit in bits]
        for button in old:
            close_all(button)

    def _bits(self) -> list[tuple[int, str, str]]:
        """Bit, name and meaning of what has a button: all that isn't part of the frame or of a wide field."""
        found = []
        for field in self.lab.bits():
            if field.low == field.high and (field.letter or field.low < 12):
                found.append((field.low, field.letter or str(field.low), field.words))
            elif field.low == 9:
                found += [(bit, str(bit), field.words) for bit in range(9, 12)]
        return found

    def _toggle(self, bit: int, letter: str, words: str) -> Any:
        on = bool(self.lab.value >> bit & 1)
        button = switch(letter, on, f"bit {bit}, {words}", "58px", lambda value: self.turn(bit))
        button.bit = bit
        return button

    def turn(self, bit: int) -> None:
        """A button was clicked."""
        if not self.filling:
            self.act(lambda: self.lab.toggle(bit))


def _spelled(lab: Decoder) -> str:
    head = "".join(f'<th style="{CELL}">{name}</th>' for name in ("bits", "now", "", "meaning"))
    rows = "".join(_line(field, lab.value) for field in lab.bits())
    return f'<table style="border-collapse:collapse;line-height:1.45"><tr>{head}</tr>{rows}</table>'


def _line(field: Bits, value: int) -> str:
    quiet = "" if field.of(value) else "opacity:.75"
    cells = (field.where, f"<code>{content(field, value)}</code>", f"<b>{field.letter}</b>", html.escape(field.words))
    return f'<tr style="{quiet}">' + "".join(f'<td style="{CELL}">{cell}</td>' for cell in cells) + "</tr>"


def _side_by_side(made: list[Made]) -> str:
    """What the engine made of it, for a read and a write."""
    if not made:
        return ""
    boxes = ""
    for one in made:
        entry = "no shadow entry" if one.entry is None else f"{one.entry:#018x}<br>{html.escape(one.says)}"
        reasons = "".join(f"<li>{html.escape(reason)}</li>" for reason in one.reasons)
        boxes += (
            '<div style="flex:1 1 340px;box-sizing:border-box;border:1px solid #EBD3B8;border-left:4px solid #B35900;'
            f'border-radius:4px;padding:6px 10px;line-height:1.45"><b>{html.escape(one.access)}: {html.escape(one.outcome)}</b>'
            f'<br><code>{entry}</code><ul style="margin:4px 0;padding-left:20px">{reasons}</ul></div>'
        )
    head = '<div style="font-weight:600;padding:8px 0 4px">The shadow entry that the host makes of it</div>'
    return f'{head}<div style="display:flex;flex-wrap:wrap;gap:10px">{boxes}</div>'

