# SPDX-License-Identifier: GPL-2.0-only
"""`entry_decoder`: the meaning of every bit of an entry, and the shadow entry that the host makes from a guest entry."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ..errors import InputError, LabError
from ..inspect.entries import flags, shadow_target, spell, withheld
from ..inspect.names import LEVELS
from ..inspect.paths import shadow_path
from ..inspect.refusal import Request
from ..mmu import Vm, checks
from ..mmu.bits import FLAGS, IO_MARK, LARGE, MODES, NARROW, PAGE_SHIFT, PRESENT, USER, GuestMode
from ..mmu.memory import FIRST_SHADOW
from ..mmu.pool import NUM_PAGES
from ..player.cell_output import close_all
from ..printable import escaped_html
from ..recording.narration import access_clause
from .explain_access import OUTCOMES, PathsBefore, explain_access
from .form import Form, form_of, status_html
from .guests import GVAS, ROOT, GuestTable
from .lab import ChoiceLab
from .number import Number, read_number

KINDS = ("guest", "shadow")
EXAMPLE = 0x8000000002B45C65

NAMES = {
    **dict.fromkeys(("PGD", "P4D", "PML4", "PML4E", "PXE"), 4),
    **dict.fromkeys(("PUD", "PDPT", "PDPTE", "PPE"), 3),
    **dict.fromkeys(("PMD", "PD", "PDE"), 2),
    **dict.fromkeys(("PTE", "PT"), 1),
}
"""The level of an entry by its name in Linux, in the manual, or in WinDbg."""


def entry_decoder(
    entry: int | str = EXAMPLE, kind: str = "guest", mode: str = "64", level: int = 1, **parts: Any
) -> EntryDecoder:
    """Return a decoder for entries. ``kind``: "guest" or "shadow"; ``mode``: "32", "32 pse", "pae" or "64".

    ``parts`` (``set_spte=...``) are used to make the shadow entries. Raises InputError for an invalid argument.
    """
    return EntryDecoder(entry, kind, mode, level, parts)


class EntryDecoder(ChoiceLab):
    """A decoder for the entry ``value``. `read`, `set`, `toggle` and `set_frame` change it; `choose` changes its type.

    `fields` returns its fields, ``meaning`` describes it in a sentence, `shadow_results` returns the shadow entries.
    """

    title = "What does this entry mean?"

    def __init__(self, entry: int | str, kind: str, mode: str, level: int, parts: dict[str, Any]) -> None:
        super().__init__(parts)
        self.kind, self.mode, self.level, self.value = "guest", "64", 1, 0
        self.pasted = dict[int, Number]()
        """The entries in the text that was read, by level (0: an entry without a name). Empty after any other change."""
        self.choose(kind, mode, level)
        if isinstance(entry, str):
            self.read(entry)
        else:
            self.set(entry)
        self._note_changes()

    def choices(self) -> tuple[str, str, int, int]:
        """Return the kind, the mode, the level and the value, for `undo`."""
        return self.kind, self.mode, self.level, self.value

    def restore(self, choices: tuple[str, str, int, int]) -> None:
        """Choose the type and the value that `choices` has returned."""
        self.kind, self.mode, self.level, value = choices
        self.set(value)

    @property
    def width(self) -> int:
        """The number of bits of an entry of this kind: 32 or 64."""
        return 8 * MODES[self.mode].format.size if self.kind == "guest" else 64

    # The entry

    def choose(self, kind: str | None = None, mode: str | None = None, level: int | None = None) -> None:
        """Change the kind, mode or level. If the new entry is shorter, the upper half of the value is discarded."""
        kind, mode = kind or self.kind, mode or self.mode
        if kind not in KINDS:
            raise InputError("kind", kind, f"one of {', '.join(KINDS)}")
        if mode not in MODES or not MODES[mode].levels:
            raise InputError("mode", mode, "32, 32 pse, pae or 64")
        level = self.level if level is None else checks.whole("level", level)
        top = self.levels(kind, mode)
        if not 1 <= level <= top:
            raise InputError("level", level, f"1..{top}")
        if level != self.level and level in self.pasted:
            self.value = self.pasted[level].value
        self.kind, self.mode, self.level = kind, mode, level
        self.value &= (1 << self.width) - 1

    @staticmethod
    def levels(kind: str, mode: str) -> int:
        """Return the highest level of an entry. The shadow of a 32-bit or PAE guest has tables only at levels 2 and 1."""
        return MODES[mode].levels if kind == "guest" or mode == "64" else 2

    def read(self, text: str) -> None:
        """Set the value from text, as debuggers and the kernel print entries: digits alone are hexadecimal (see `read_number`).

        If the text names entries ("PMD 62cb067 PTE 69025"), the one of this level is read or, without it, the lowest one.
        """
        named = named_entries(text, self.levels(self.kind, self.mode))
        pasted = {level: read_number(entry, bits=self.width, prefer=16) for level, entry in named.items()}
        level = self.level if self.level in pasted or not pasted else min(pasted)
        pasted = pasted or {0: read_number(text, bits=self.width, prefer=16)}
        self.level, self.pasted = level, pasted
        self.value = pasted[level if level in pasted else 0].value

    @property
    def reading(self) -> Number | None:
        """How the value was read; None if it was not read from text."""
        return self.pasted.get(self.level, self.pasted.get(0))

    def set(self, value: int) -> None:
        """Set the value."""
        value = checks.whole("entry", value)
        if not 0 <= value < 1 << self.width:
            raise InputError("entry", value, f"an unsigned number of {self.width} bits")
        self.value, self.pasted = value, {}

    def toggle(self, bit: int) -> None:
        """Invert a bit."""
        bit = checks.whole("bit", bit)
        if not 0 <= bit < self.width:
            raise InputError("bit", bit, f"0..{self.width - 1}")
        self.set(self.value ^ 1 << bit)

    def set_frame(self, frame: int) -> None:
        """Set the frame number. It must fit into the entry and, for a large page, be a multiple of its number of frames."""
        field = next(field for field in self.fields() if field.name == "frame")
        frame = checks.whole("frame", frame)
        value, mask = frame << PAGE_SHIFT, (1 << field.high + 1) - (1 << field.low)
        if value & ~mask:
            step = 1 << field.low - PAGE_SHIFT
            kind = "a frame number" if step == 1 else f"a frame number that is a multiple of {step:#x}, and"
            raise InputError("frame", frame, f"{kind} below {1 << field.high + 1 - PAGE_SHIFT:#x}")
        self.set(self.value & ~mask | value)

    # Its meaning

    def fields(self) -> list[EntryField]:
        """Return the fields of the entry, lowest bits first."""
        if self.kind == "shadow":
            return shadow_fields(self.level, self.value)
        return guest_fields(MODES[self.mode], self.level, self.value)

    @property
    def frame(self) -> int:
        """The frame number in the entry."""
        field = next(field for field in self.fields() if field.name == "frame")
        return field.of(self.value) << field.low - PAGE_SHIFT

    @property
    def large(self) -> bool:
        """Whether this is a guest entry that maps a large page."""
        return self.kind == "guest" and self.level == 2 and MODES[self.mode].large_pages and bool(self.value & LARGE)

    @property
    def meaning(self) -> str:
        """A sentence that describes the whole entry."""
        if not self.value & PRESENT:
            return self._absent()
        words = spell(self.value, withheld(self.level, self.value) & ~self.value if self.kind == "shadow" else 0)
        return f"It leads to {self._target()}: {words}."

    def _absent(self) -> str:
        if self.kind == "shadow" and self.level == 1 and self.value & IO_MARK:
            return f"An I/O entry: gfn {self.frame:#x} has no memory, so every access to it is emulated."
        if self.kind == "guest" and self.value:
            return "Not present: the walk ends here. The guest may use the other bits, for example for a place in its swap."
        return "Empty." if not self.value else "Not present: the walk ends here."

    def _target(self) -> str:
        if self.kind == "shadow":
            page = self.frame - FIRST_SHADOW
            return f"shadow page #{page}" if 0 <= page < NUM_PAGES else f"host frame {self.frame:#x}"
        if self.large:
            return f"a large page of {MODES[self.mode].format.large_size >> 20} MB that begins at gfn {self.frame:#x}"
        return f"gfn {self.frame:#x}" + f", the level-{self.level - 1} table" * (self.level > 1)

    # The shadow entry

    def shadow_results(self) -> list[ShadowResult]:
        """Return the results of a read and a write through this guest entry, each in a new VM; none for a shadow entry."""
        if self.kind == "shadow":
            return []
        return [self._shadow_result(write=False), self._shadow_result(write=True)]

    def _shadow_result(self, write: bool) -> ShadowResult:
        user = bool(self.value & USER)
        request, action = Request(GVAS[self.mode], write, user), access_clause(write, user, fetch=False)
        try:
            vm = self.run(self.make_vm)
            before, free = PathsBefore.of(vm, request), len(vm.pool.free)
            result = self.run(lambda: vm.access(request.gva, write=write, user=user))
        except LabError as error:
            return ShadowResult(action, "not possible", None, "", (f"{error}.",))
        reasons = explain_access(vm, before, result.outcome, result.error, 0)
        if self.level > 1 and not self.large and result.outcome in ("ok", "emul") and len(vm.pool.free) < free:
            reasons.append(
                "A link to a shadow table always has P, W, U and A, whatever flags the guest's entry has: the shadow "
                "withholds rights only in the last entry."
            )
        return ShadowResult(action, _outcome(result), *_entry(vm, request.gva, 1 if self.large else self.level), tuple(reasons))

    def make_vm(self) -> Vm:
        """Return a VM whose guest uses this entry to translate one address, and whose other entries allow everything."""
        table = GuestTable(self.mode)
        form, gfn = table.mode.format, self.frame
        large = self.large
        span = 1 << form.index_bits if large else 1
        begin = gfn & -span
        base = ROOT if begin > ROOT + 16 else begin + span + ROOT  # keep the tables away from the frame in the entry
        table.gfns = {level: base + table.mode.levels - level for level in range(table.mode.levels, 0, -1)}
        if self.level > 1 and not large:
            table.gfns[self.level - 1] = gfn
        table.frame = gfn if self.level == 1 or large else base + 8
        table.flags[self.level] = self.value & ~(form.large_base if large else form.base)
        table.slots = [(base, 16), (begin, span)]
        return table.vm(**self.parts)

    def state(self) -> str:
        """Return the number, its meaning, every field, and the shadow entries, as text."""
        digits = self.width // 4
        kind = f"{self.kind} entry, {MODES[self.mode].title}"
        rows = [f"{field.bits:>6}  {field.content(self.value):<14}{field.name:<6}{field.words}" for field in self.fields()]
        results = [line for result in self.shadow_results() for line in ("", str(result))]
        number = f"{self.value:#0{digits + 2}x} = {self.value}"
        head = f"{number}   ({kind}, level {self.level}, {LEVELS[self.level]})"
        note = self.reading.note if self.reading is not None else ""
        return "\n".join([head, *[note] * bool(note), flags(self.value), self.meaning, "", *rows, *results])


def named_entries(text: str, levels: int) -> dict[int, str]:
    """Return the entries that a text names, by level; of several with one level, the first. ``levels``: the highest level.

    >>> named_entries("PGD 62dd067 PUD 62dc067 PMD 62cb067 PTE 69025", 4)
    {4: '0x62dd067', 3: '0x62dc067', 2: '0x62cb067', 1: '0x69025'}
    >>> named_entries("PDE at C0300C00    PTE at C030A004 contains 0003B163   contains 00154121", 2)
    {2: '0x0003B163', 1: '0x00154121'}
    """
    text = text if isinstance(text, str) else ""
    names, number = "|".join(sorted(NAMES, key=len, reverse=True)), r"(?:0x)?((?=[a-f`_]*[0-9])[0-9a-f`_]+)\b"
    found = re.findall(rf"\b({names})(?:_val)?\b\s*[:=]*\s*{number}", text, re.IGNORECASE)
    if not found:  # WinDbg's !pte: the names, then the entries
        at, entries = (re.findall(pattern, text, re.IGNORECASE) for pattern in (rf"\b({names}) at\b", rf"\bcontains {number}"))
        found = list(zip(at, entries, strict=True)) if len(at) == len(entries) else []
    return {min(NAMES[name.upper()], levels): f"0x{entry}" for name, entry in reversed(found)} if found else {}


@dataclass(frozen=True)
class ShadowResult:
    """The result of one access: its outcome, the shadow entry (or None), its flags and target, and the reasons."""

    access: str
    outcome: str
    entry: int | None
    content: str
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        entry = "no shadow entry" if self.entry is None else f"{self.entry:#018x}  {self.content}"
        return "\n".join([f"{self.access}: {self.outcome}", f"  {entry}", *(f"  - {reason}" for reason in self.reasons)])


def _outcome(result: Any) -> str:
    if result.outcome == "ok":
        return "the access succeeds"
    return OUTCOMES.get(result.outcome, OUTCOMES["else"]) + f", error code {result.error}" * (result.outcome == "inject")


def _entry(vm: Vm, gva: int, level: int) -> tuple[int | None, str]:
    """Return the shadow entry at a level of gva's path, with its flags and target as text; (None, "") if there is none."""
    value = next((step.entry for step in shadow_path(vm, gva).steps if step.level == level and step.entry), None)
    if value is None:
        return None, ""
    refused = withheld(level, value) & ~value
    return value, f"{flags(value, refused)} {shadow_target(vm, value)}"


# The fields of an entry


@dataclass(frozen=True)
class EntryField:
    """Bits ``low`` to ``high`` of an entry. ``name``: its name in the manual, "frame" for the frame number, or "" (none)."""

    low: int
    high: int
    name: str
    words: str

    def of(self, value: int) -> int:
        """Return the value of the field in an entry."""
        return value >> self.low & (1 << self.high - self.low + 1) - 1

    def content(self, value: int) -> str:
        """Return the value of the field as text. For the frame number, this is the gfn or hfn."""
        content = self.of(value)
        if self.name == "frame":
            return f"{content << self.low - PAGE_SHIFT:#x}"
        return str(content) if self.low == self.high else f"{content:#x}"

    @property
    def bits(self) -> str:
        """The bit numbers as text: "5", "12-51"."""
        return str(self.low) if self.low == self.high else f"{self.low}-{self.high}"


def _bit(bit: int, name: str, words: str) -> EntryField:
    return EntryField(bit, bit, name, words)


def _flag(name: str, words: str) -> EntryField:
    return _bit(next(flag.bit for flag in FLAGS if flag.name == name), name, words)


IGNORED = "ignored at this level"
RESERVED = "reserved, must be 0"
NOT_USED = "not used"


def guest_fields(mode: GuestMode, level: int, value: int) -> list[EntryField]:
    """Return the fields of a guest entry at this level. At level 2 they depend on the PS flag in ``value``."""
    pdpte = mode.levels == 3 == level
    large = level == 2 and mode.large_pages and bool(value & LARGE)
    leaf = level == 1 or large
    fields = [_flag("P", "present: if clear, all other bits are ignored")]
    if pdpte:
        fields.append(EntryField(1, 2, "", "reserved in a PDPTE: if set, loading CR3 causes a #GP"))
    else:
        fields += [
            _flag("W", "writable, if set at all levels"),
            _flag("U", "user code may access the page, if set at all levels"),
        ]
    fields += [
        _flag("PWT", "write-through caching; KVM 2.6.22 ignores it"),
        _flag("PCD", "caching disabled; KVM 2.6.22 ignores it"),
    ]
    if pdpte:
        fields.append(EntryField(5, 8, "", "reserved in a PDPTE"))
    else:
        fields += [
            _flag("A", "accessed: the walk sets it"),
            _flag("D", "dirty: the first write sets it; while clear, the shadow withholds W" if leaf else IGNORED),
            _bit7(mode, level),
            _flag("G", "global: stays in the TLB when CR3 is loaded; copied to the shadow" if leaf else IGNORED),
        ]
    fields.append(EntryField(9, 11, "", "available to the guest's kernel; not copied"))
    fields += _frame_fields(mode, level, large)
    if mode.format is not NARROW:
        nx = _bit(63, "", "reserved in a PDPTE") if pdpte else _flag("NX", "no execution, if EFER.NX is set")
        fields += [EntryField(52, 62, "", "available to the guest's kernel, or reserved"), nx]
    return fields


def _bit7(mode: GuestMode, level: int) -> EntryField:
    if level == 2:
        return _flag("PS", "large page: this is the last entry" if mode.large_pages else "ignored: CR4.PSE is clear")
    return _bit(7, "PAT", "memory type") if level == 1 else _bit(7, "", RESERVED)


def _frame_fields(mode: GuestMode, level: int, large: bool) -> list[EntryField]:
    top = 31 if mode.format is NARROW else 51
    if large and mode.format is NARROW:
        return [
            _bit(12, "PAT", "memory type"),
            EntryField(13, 16, "", "PSE-36: address bits 32-35; the walk of KVM 2.6.22 ignores them, its shadow uses them"),
            EntryField(17, 21, "", RESERVED),
            EntryField(22, top, "frame", "the gfn of the 4 MB page"),
        ]
    if large:
        return [
            _bit(12, "PAT", "memory type"),
            EntryField(13, 20, "", RESERVED),
            EntryField(21, top, "frame", "the gfn of the 2 MB page"),
        ]
    return [EntryField(12, top, "frame", "the gfn of the page" if level == 1 else f"the gfn of the level-{level - 1} table")]


def shadow_fields(level: int, value: int) -> list[EntryField]:
    """Return the fields of a shadow entry at this level. At level 1, a ``value`` that isn't present can be an I/O entry."""
    leaf, io = level == 1, level == 1 and not value & PRESENT
    bit9 = {1: "I/O: the gfn has no memory", 2: "the table below shadows a large page of the guest, in pieces of 4 KiB"}
    link = "always set in a link to a table; the shadow withholds rights at level 1 only"
    return [
        _flag("P", "present"),
        _flag("W", "writable" if leaf else link),
        _flag("U", "user code may access the page" if leaf else link),
        EntryField(3, 4, "", NOT_USED),
        _flag("A", "copied from the guest's entry" if leaf else "always set in a link to a table"),
        _flag("D", "copied from the guest's entry" if leaf else NOT_USED),
        _bit(7, "", "not used: a shadow has no large pages"),
        _flag("G", "copied from the guest's entry" if leaf else NOT_USED),
        _bit(9, "", bit9.get(level, NOT_USED)),
        _bit(10, "", "the guest's entries at all levels allow writing" if leaf else NOT_USED),
        _bit(11, "", "the guest's entries at all levels allow user access" if leaf else NOT_USED),
        EntryField(12, 51, "frame", "the gfn of the device" if io else "the host frame" + " of a shadow page" * (not leaf)),
        EntryField(52, 62, "", NOT_USED),
        _flag("NX", "copied from the guest's last entry" if leaf else NOT_USED),
    ]


# The form

CELL = "text-align:left;padding:1px 12px 1px 0;vertical-align:top"


@form_of(EntryDecoder)
class DecoderForm(Form):
    """A form with the entry, its kind, mode and level, a button for each flag, every field, and the shadow entries."""

    lab: EntryDecoder
    controls_width = "100%"

    def body(self) -> list[Any]:
        """Return the fields of the entry and, beside them, the shadow entries."""
        for part, width in ((self.picture, "460px"), (self.state, "370px")):
            part.layout.flex, part.layout.min_width = f"1 1 {width}", "0"
        return [self.ui.row(self.picture, self.state, align_items="flex-start"), self.stage]

    def controls(self) -> list[Any]:
        """Return the controls for the kind, mode and level, the number, the flags and the frame."""
        lab, ui = self.lab, self.ui
        self.entry = self.field(
            "text", "Entry", hex(lab.value), "An entry as a debugger or the kernel prints it", width="420px"
        )
        self.entry.text.observe(lambda change: self.act(self.read), "value")
        self.kind = ui.menu("Kind", [("guest entry", "guest"), ("shadow entry", "shadow")], lab.kind, "Guest or shadow entry")
        modes = [(mode.title, key) for key, mode in MODES.items() if mode.levels]
        self.mode = ui.menu("Guest", modes, lab.mode, "The guest's mode")
        self.level = ui.menu("Level", [], None, "The level of the entry's table")
        for menu in (self.kind, self.mode, self.level):
            menu.observe(lambda change: self.act(self.choose), "value")
        self.frame = self.field("frame", "Frame", "0x0", "The frame number in the entry: a gfn or an hfn", width="240px")
        self.frame.text.observe(lambda change: self.act(self.set_frame), "value")
        self.toggles = ui.row()
        self.filling = False
        self.shown: list[tuple[int, str, str]] = []
        return [ui.row(self.kind, self.mode, self.level), self.entry.box, self.toggles, self.frame.box]

    def read(self) -> None:
        """Read the value of the entry from its input field."""
        if not self.filling:
            self.lab.read(self.entry.text.value)

    def choose(self) -> None:
        """Apply the kind, mode and level selected in the menus."""
        if not self.filling:
            top = self.lab.levels(self.kind.value, self.mode.value)
            self.lab.choose(self.kind.value, self.mode.value, min(self.level.value or 1, top))

    def set_frame(self) -> None:
        """Read the frame number from its input field."""
        if not self.filling:
            self.lab.set_frame(self.number(self.frame))

    def refresh(self) -> None:
        """Show the current entry in all widgets."""
        lab, self.filling = self.lab, True
        try:
            levels = range(lab.levels(lab.kind, lab.mode), 0, -1)
            self.level.options = [(f"{level} ({LEVELS[level]})", level) for level in levels]
            self.level.value = lab.level
            self.entry.text.value = f"{lab.value:#0{lab.width // 4 + 2}x}"
            if self.peek(self.frame) != lab.frame:
                self.frame.text.value = hex(lab.frame)
            self._fill_toggles()
        finally:
            self.filling = False
        if lab.reading is not None:
            self.entry.set_note(lab.reading.note, lab.reading.other)
        self.status.value, self.status.layout.display = status_html(f"<b>{escaped_html(lab.meaning)}</b>"), ""
        self.picture.value = _table_html(lab)
        self.state.value = _results_html(lab.shadow_results())

    def _fill_toggles(self) -> None:
        old = self.toggles.children
        bits = sorted(self._bits())
        if bits == self.shown:  # keep the buttons, because the one that was clicked has the focus
            for button in old:
                button.value = bool(self.lab.value >> button.bit & 1)
            return
        self.shown, self.toggles.children = bits, [self._toggle(*bit) for bit in bits]
        for button in old:
            close_all(button)

    def _bits(self) -> list[tuple[int, str, str]]:
        """Return (bit, name, meaning) for each bit that has a button: single-bit fields, and bits 9 to 11."""
        found = []
        for field in self.lab.fields():
            if field.low == field.high and (field.name or field.low < 12):
                found.append((field.low, field.name or str(field.low), field.words))
            elif field.low == 9:
                found += [(bit, str(bit), field.words) for bit in range(9, 12)]
        return found

    def _toggle(self, bit: int, name: str, words: str) -> Any:
        on = bool(self.lab.value >> bit & 1)
        button = self.ui.toggle(name, on, f"bit {bit}, {words}", "58px", lambda value: self.toggle(bit))
        button.bit = bit
        return button

    def toggle(self, bit: int) -> None:
        """Invert the bit whose button was clicked."""
        if not self.filling:
            self.act(lambda: self.lab.toggle(bit))


def _table_html(lab: EntryDecoder) -> str:
    head = "".join(f'<th style="{CELL}">{name}</th>' for name in ("bits", "value", "name", "meaning"))
    rows = "".join(_field_html(field, lab.value) for field in lab.fields())
    return f'<table style="border-collapse:collapse;line-height:1.45"><tr>{head}</tr>{rows}</table>'


def _field_html(field: EntryField, value: int) -> str:
    pale = "" if field.of(value) else "opacity:.75"
    cells = (
        f'<span style="white-space:nowrap">{field.bits}</span>',
        f"<code>{field.content(value)}</code>",
        f"<b>{field.name}</b>",
        escaped_html(field.words),
    )
    return f'<tr style="{pale}">' + "".join(f'<td style="{CELL}">{cell}</td>' for cell in cells) + "</tr>"


def _results_html(results: list[ShadowResult]) -> str:
    """Return the shadow entries for a read and a write as HTML, side by side."""
    if not results:
        return ""
    boxes = ""
    for result in results:
        entry = "no shadow entry" if result.entry is None else f"{result.entry:#018x}<br>{escaped_html(result.content)}"
        reasons = "".join(f"<li>{escaped_html(reason)}</li>" for reason in result.reasons)
        access = escaped_html(f"{result.access}: {result.outcome}")
        boxes += (
            '<div style="flex:1 1 340px;box-sizing:border-box;border:1px solid #EBD3B8;border-left:4px solid #B35900;'
            f'border-radius:4px;padding:6px 10px;line-height:1.45"><b>{access}</b>'
            f'<br><code>{entry}</code><ul style="margin:4px 0;padding-left:20px">{reasons}</ul></div>'
        )
    head = '<div style="font-weight:600;padding:8px 0 4px">The shadow entry that the host makes from this entry</div>'
    return f'{head}<div style="display:flex;flex-wrap:wrap;gap:10px">{boxes}</div>'
