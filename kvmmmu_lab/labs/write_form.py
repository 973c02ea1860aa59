# SPDX-License-Identifier: GPL-2.0-only
"""The form of `write_lab`."""

from __future__ import annotations

from collections.abc import Callable
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
ANY, BY_OFFSET = -1, "(by offset)"
"""Stands for none of the entries in the menu: the offset that is filled in says where."""

AGAIN = "The guest uses its pages again, so that entries that died are made anew: then there is something to kill again"


class WriteForm(GuestForm):
    """Guest, table, offset, size and value; the entries to tick; *Write*."""

    lab: WriteLab

    def controls(self) -> list[Any]:
        """From the guest down to *Write*."""
        lab = self.lab
        self.mode = menu("Guest", MODES, lab.mode if lab.mode in ("64", "pae", "32") else "64", "The mode of a new guest")
        self.mode.observe(lambda change: self.act(self.choose_mode), "value")
        self.table = menu("Table", [], None, "The guest table to write to")
        self.entry = menu("Entry", [(BY_OFFSET, ANY)], ANY, "An entry of that table: fills in the offset")
        self.table.observe(lambda change: self.by_hand(self.choose_table), "value")
        self.entry.observe(lambda change: self.by_hand(self.choose_entry), "value")
        offset = "Offset of the first byte in the page"
        self.offset = self.field("offset", "Offset", "0x0", offset, width="170px", live=True)
        self.offset.text.observe(lambda change: self.follow(), "value")
        empty = "empty: the frame next door"
        self.value = self.field("value", "Value", "", "The value to write", width="300px", empty=empty, live=True)
        sizes: list[tuple[str, Any]] = [("1 byte", 1), ("2 bytes", 2), ("4 bytes", 4), ("8 bytes", 8)]
        self.size = choice("Size", sizes, lab.entry_size, "How many bytes are written")
        self.ticks = widgets.HBox(layout=ROW)
        self.building = False
        self.shown: Any = None
        self.at: Any = None
        own = [] if lab.given is not None else [self.mode, self.button("New guest", "A new guest in this mode", self.anew)]
        touch = self.button("Touch all pages again", AGAIN, self.touch)
        return [
            row(*own, touch),
            row(self.table, self.entry),
            row(self.offset.text, self.size),
            self.offset.message,
            self.value.box,
            heading("Predict first: which shadow entries die?"),
            self.ticks,
            row(self.button("Write", "Write, and watch what dies", self.write, primary=True)),
        ]

    def by_hand(self, action: Callable[[], Any]) -> None:
        """Do what somebody chose; what a refresh fills in is no choice."""
        if not self.building:
            self.act(action)

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
        """The table's entries; the first is filled in when the table is another one, else the offset stays."""
        self.entry.options = [(BY_OFFSET, ANY), *((says, at) for at, says in entries)]
        if (self.lab.vm, self.lab.gfn) != self.at and entries:
            self.offset.text.value = hex(entries[0][0])
        self.at = self.lab.vm, self.lab.gfn
        self.follow()

    def follow(self) -> None:
        """The entry that holds the offset, if it is in the menu."""
        try:
            at = parse(self.offset.text.value) // self.lab.entry_size * self.lab.entry_size
        except InputError:
            at = ANY
        before, self.building = self.building, True
        try:
            self.entry.value = at if at in [known for _, known in self.entry.options] else ANY
        finally:
            self.building = before

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
        for box in ticks:
            box.observe(lambda change: self.ticked(change["owner"]), "value")
        self.ticks.children = ticks
        for box in old:
            close_all(box)

    def ticked(self, box: Any) -> None:
        """Nothing, all and some can't be true at once: what contradicts the box that was ticked isn't ticked any more."""
        for other in self.ticks.children if box.value else ():
            if other is not box and (box.name in (NONE, PAGE) or other.name in (NONE, PAGE)):
                other.value = False

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
        if self.table.value is not None:
            self.lab.choose(self.table.value)

    def choose_entry(self) -> None:
        """The offset of an entry."""
        if self.entry.value != ANY:
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
