# SPDX-License-Identifier: GPL-2.0-only
"""The form of `entry_decoder`."""

from __future__ import annotations

import html
from typing import Any

import ipywidgets as widgets

from ..draw.rows import LEVELS
from ..errors import InputError
from ..player.cells import close_all
from .decoder import Decoder, Made, content
from .decoder_text import parse
from .form import ROW, Form, menu, row, status, switch
from .spelling import Bits
from .tables import MODES

CELL = "text-align:left;padding:1px 12px 1px 0;vertical-align:top"


class DecoderForm(Form):
    """The number, kind, mode and level; a button for each bit; all of it spelled out."""

    lab: Decoder

    def controls(self) -> list[Any]:
        """The number and what it is taken for."""
        lab = self.lab
        self.number = self.field("text", "Entry", hex(lab.value), "A number: hexadecimal, binary or decimal", width="420px")
        self.number.text.observe(lambda change: self.act(self.read), "value")
        self.kind = menu("It is a", [("guest entry", "guest"), ("shadow entry", "shadow")], lab.kind, "Whose entry it is")
        modes = [(mode.name, key) for key, mode in MODES.items() if mode.levels]
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
