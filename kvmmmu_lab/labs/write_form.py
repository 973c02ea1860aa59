# SPDX-License-Identifier: GPL-2.0-only
"""The form of `write_lab`."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from ..errors import InputError, LabError
from ..player.cells import close_all
from .decoder_text import parse
from .form import ROW, GuestForm, choice, heading, menu, row, tick
from .lab import Round
from .write_verdict import NONE, PAGE
from .writes import WriteLab

MODES = [("64-bit", "64"), ("PAE", "pae"), ("32-bit", "32")]
ANY = -1
"""Stands for no entry in the menu of entries: an offset of its own is filled in."""


class WriteForm(GuestForm):
    """Guest, table, offset, size and value; the entries to tick; *Write*."""

    lab: WriteLab

    def controls(self) -> list[Any]:
        """From the guest down to *Write*."""
        lab = self.lab
        self.mode = menu("Guest", MODES, lab.mode if lab.mode in ("64", "pae", "32") else "64", "The mode of a new guest")
        self.mode.observe(lambda change: self.act(self.choose_mode), "value")
        self.table = menu("Table", [], None, "The guest table to write to")
        self.entry = menu("Entry", [("(any offset)", ANY)], ANY, "An entry of that table: fills in the offset")
        self.table.observe(lambda change: self.act(self.choose_table), "value")
        self.entry.observe(lambda change: self.act(self.choose_entry), "value")
        self.offset = self.field("offset", "Offset", "0x0", "Offset of the first byte in the page", width="170px")
        self.value = self.field("value", "Value", "", "The value to write", width="300px", empty="empty: the frame next door")
        sizes: list[tuple[str, Any]] = [("1 byte", 1), ("2 bytes", 2), ("4 bytes", 4), ("8 bytes", 8)]
        self.size = choice("Size", sizes, lab.entry_size, "How many bytes are written")
        self.ticks = widgets.HBox(layout=ROW)
        self.building = False
        self.shown: Any = None
        self.at: Any = None
        own = [] if lab.given is not None else [self.mode, self.button("New guest", "A new guest in this mode", self.anew)]
        touch = self.button("Touch all pages again", "The guest uses its pages: what died comes back", self.touch)
        return [
            row(*own, touch),
            row(self.table, self.entry),
            row(self.offset.box, self.size),
            self.value.box,
            heading("Predict first: which shadow entries die?"),
            self.ticks,
            row(self.button("Write", "Write, and watch what dies", self.write, primary=True)),
        ]

    def refresh(self) -> None:
        """The tables, the entries, and what could die: all as they are now."""
        super().refresh()
        lab, self.building = self.lab, True
        try:
            if lab.vm is not None:
                self.table.options = [(str(table), table.gfn) for table in lab.tables()]
                self.table.value = lab.gfn if lab.gfn in lab.known else None
                self._fill_entries(lab.entries())
            self._build_ticks()
        finally:
            self.building = False

    def _fill_entries(self, entries: list[tuple[int, str]]) -> None:
        """The table's entries; the first is chosen when the table is another one."""
        chosen, known = self.entry.value, [at for at, _ in entries]
        self.entry.options = [("(any offset)", ANY), *((says, at) for at, says in entries)]
        if (self.lab.vm, self.lab.gfn) != self.at and known:
            self.entry.value = known[0]
            self.offset.text.value = hex(known[0])
        else:
            self.entry.value = chosen if chosen in known else ANY
        self.at = self.lab.vm, self.lab.gfn

    def _build_ticks(self) -> None:
        lab, old = self.lab, self.ticks.children
        known = list(lab.candidates().items()) if lab.vm is not None else []
        shown = (len(lab.rounds), tuple(known))
        if shown == self.shown:  # what was ticked stays, whatever else is filled in
            return
        self.shown = shown
        ticks = [tick(f"{name}  {lab.says(spte)}", False, f"{name} will die") for name, spte in known]
        for box, (name, _) in zip(ticks, known, strict=True):
            box.name = name
        for name, tooltip in ((NONE, "Nothing will die"), (PAGE, "The whole shadow page will be zapped")):
            ticks.append(tick(name, False, tooltip))
            ticks[-1].name = name
        self.ticks.children = ticks
        for box in old:
            close_all(box)

    def choose_mode(self) -> None:
        """A guest of another mode."""
        self.lab.mode = self.mode.value
        self.anew()
        self.size.value = self.lab.entry_size

    def touch(self) -> Round:
        """The guest uses its pages."""
        return self.lab.touch()

    def choose_table(self) -> None:
        """Another table."""
        if not self.building and self.table.value is not None:
            self.lab.choose(self.table.value)

    def choose_entry(self) -> None:
        """The offset of an entry."""
        if not self.building and self.entry.value != ANY:
            self.offset.text.value = hex(self.entry.value)

    def write(self) -> Round:
        """Write what the form says."""
        offset = self.number(self.offset.text.value, "offset")
        text = self.value.text.value.strip()
        value = self.number(text, "value") if text else None
        ticked = [box.name for box in self.ticks.children if box.value]
        try:
            self.lab.guess(*ticked)
        except LabError:
            self.lab.guess()
        return self.lab.write(offset, value, self.size.value)

    @staticmethod
    def number(text: str, argument: str) -> int:
        """A number out of a field."""
        try:
            return parse(text)
        except InputError as error:
            raise InputError(argument, text, error.expected) from None
