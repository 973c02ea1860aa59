# SPDX-License-Identifier: GPL-2.0-only
"""The form of `fault_lab`."""

from __future__ import annotations

import html
from typing import Any

import ipywidgets as widgets

from ..draw.rows import LEVELS
from ..errors import InputError
from ..player.cells import close_all
from .decoder_text import parse
from .faults import FaultLab
from .form import Form, choice, heading, menu, quiet, row, say, switch, tick
from .tables import FLAGS, MODES, PRESETS

REGISTERS = (
    "CR0.WP: while it is set, the kernel, too, needs W to write; while it is clear, the kernel may write everywhere. "
    "EFER.NX: only while it is set do the NX bits in the guest's entries forbid anything."
)
CHANGED = "Something else is chosen by now than what the result below is about. Go shows what comes of it."
OWN, GIVEN = "tables", "vm"
SAYS = {
    "P": "present",
    "W": "writable",
    "U": "user",
    "A": "accessed",
    "D": "dirty",
    "G": "global",
    "PS": "large page",
    "NX": "no execution",
}


class FaultForm(Form):
    """Guest and tables, the access, the prediction, *Go*; the verdict and the film under them."""

    lab: FaultLab

    def controls(self) -> list[Any]:
        """From the guest down to *Go*."""
        lab = self.lab
        sources = [("tables that you build", OWN), *((f"{name}, a real guest", name) for name in lab.guests())]
        self.source = menu(
            "Guest", [("your VM", GIVEN)] if lab.given is not None else sources, lab.source, "Whose tables are walked"
        )
        self.source.observe(lambda change: self.act(self.choose_source), "value")
        self.mode = menu("Mode", [(mode.name, key) for key, mode in MODES.items()], lab.table.key, "The guest's mode")
        self.mode.observe(lambda change: self.act(self.choose_mode), "value")
        self.preset = menu("Begin with", lab.table.presets(), "all allowed", "Tables to begin with")
        self.preset.observe(lambda change: self.act(self.choose_preset), "value")
        self.about = widgets.HTML()
        self.tables, self.place = widgets.VBox(), widgets.VBox()
        self.own = widgets.VBox([row(self.mode, self.preset), self.about, self.tables])
        self.address = self.field("gva", "Address", hex(lab.address), "The address (gva) of the access", width="280px")
        self.address.text.observe(lambda change: self.act(self.choose_address), "value")
        self.changed = quiet()
        self.build_tables()
        return [
            row(self.source),
            self.own,
            self.place,
            *self.access(),
            heading("Predict first"),
            row(lab.outcome.menu, lab.code.menu, lab.pages.menu),
            row(self.go),
            self.changed,
        ]

    def access(self) -> list[Any]:
        """What the access does, and to whom the processor listens."""
        lab = self.lab
        self.verb = choice("Access", [(verb, verb) for verb in ("read", "write", "fetch")], "read", "What the access does")
        self.who = choice("by", [("kernel", "kernel"), ("user", "user")], "kernel", "Who does it")
        self.wp = tick("CR0.WP", lab.wp, "CR0.WP: the kernel, too, needs W to write")
        self.nx = tick("EFER.NX", lab.nx, "EFER.NX: the guest's NX bits mean something")
        self.keep = tick("go on with the same VM", lab.keep, "Otherwise each access meets a new VM with an empty shadow")
        self.keep.disabled = lab.given is not None
        for box in (self.verb, self.who, self.wp, self.nx, self.keep):
            box.observe(lambda change: self.act(self.choose_access), "value")
        self.go = self.button("Go", "Run the access and watch it", lab.go, primary=True)
        return [row(self.verb, self.who), row(self.wp, self.nx, self.keep), quiet(REGISTERS)]

    def refresh(self) -> None:
        """Also whether the result that is shown is about what is chosen now."""
        super().refresh()
        last = self.lab.last if self.status.value else None
        say(self.changed, CHANGED if last is not None and last.about != self.lab.about else "")

    # What was chosen

    def choose_source(self) -> None:
        """Tables of one's own, or a real guest with its addresses."""
        if self.source.value == OWN:
            self.lab.build(self.mode.value, self.preset.value)
        elif self.source.value != GIVEN:
            self.lab.open(self.source.value)
            self.wp.value, self.nx.value, self.keep.value = self.lab.wp, self.lab.nx, self.lab.keep
        self.build_tables()
        self.clear()

    def choose_mode(self) -> None:
        """Another mode, with all allowed."""
        self.lab.build(self.mode.value)
        self.preset.options = self.lab.table.presets()
        self.preset.value = "all allowed"
        self.build_tables()
        self.clear()

    def choose_preset(self) -> None:
        """Other tables to begin with."""
        if self.preset.value in self.lab.table.presets():
            self.lab.build(self.mode.value, self.preset.value)
            self.build_tables()
            self.clear()

    def choose_access(self) -> None:
        """The access and the registers."""
        lab = self.lab
        lab.write, lab.fetch = self.verb.value == "write", self.verb.value == "fetch"
        lab.user, lab.wp, lab.nx, lab.keep = self.who.value == "user", self.wp.value, self.nx.value, self.keep.value

    def choose_address(self) -> None:
        """An address that was typed in."""
        self.clear()
        try:
            self.lab.address = parse(self.address.text.value)
        except InputError as error:
            raise InputError("gva", error.got, error.expected) from None

    def choose_frame(self, frame: int) -> None:
        """Another frame at the end of the path."""
        self.lab.table.frame = frame
        self.clear()

    def choose_flag(self, level: int, flag: str, on: bool) -> None:
        """A flag of an entry was turned over."""
        self.lab.table.set(level, flag, on)
        self.clear()

    # The tables

    def build_tables(self) -> None:
        """The toggles of each level, the frame at the end; or the real guest's addresses."""
        lab, old = self.lab, [*self.tables.children, *self.place.children]
        own = lab.source == OWN
        self.own.layout.display = "" if own else "none"
        self.tables.children, self.place.children = [], []
        if own:
            self.about.value = f'<span style="opacity:.8">{html.escape(PRESETS[self.preset.value or "all allowed"])}</span>'
            levels = [self.level(level) for level in range(lab.table.mode.levels, 0, -1)]
            self.tables.children = [*levels, self.frame_menu()]
        else:
            self.place.children = [self.address.box if lab.picker is None else lab.picker.widget]
            if lab.picker is not None:
                lab.picker.widget.observe(lambda change: self.act(self.clear), "value")
        for part in old:
            if part is not self.address.box:
                close_all(part)

    def level(self, level: int) -> Any:
        """One entry: a button for each of its flags."""
        table = self.lab.table
        name = f"{LEVELS[level]} entry {table.index(level)}"
        label = widgets.HTML(f"<code>{name}</code>", layout={"width": "120px"})
        here = table.mode.flags(level)
        known = [flag for flag in FLAGS if any(flag in table.mode.flags(at) for at in table.flags)]
        return row(label, *(self.toggle(level, flag, name) if flag in here else self.gap() for flag in known))

    @staticmethod
    def gap() -> Any:
        """As wide as a toggle: flags stand in columns."""
        return widgets.HTML(layout={"width": "52px"})

    def toggle(self, level: int, flag: str, name: str) -> Any:
        """A flag of an entry."""
        on = bool(self.lab.table.flags[level] & FLAGS[flag])

        def change(value: bool) -> None:
            self.act(lambda: self.choose_flag(level, flag, value))

        return switch(flag, on, f"{name}: {flag} ({SAYS[flag]})", "52px", change)

    def frame_menu(self) -> Any:
        """Where the last entry leads."""
        places = self.lab.table.places()
        options = [(f"{name} (gfn {gfn:#x})", gfn) for name, gfn in places.items()]
        frames = menu("Frame at the end", options, self.lab.table.frame, "Where the last entry leads")
        frames.observe(lambda change: self.act(lambda: self.choose_frame(change["new"])), "value")
        return frames
