# SPDX-License-Identifier: GPL-2.0-only
"""The form of `rmap_lab`."""

from __future__ import annotations

from typing import Any

from .form import GuestForm, heading, menu, quiet, row
from .lab import Round
from .rmaps import RmapLab

HELP = (
    "The reverse map of a frame lists the shadow entries through which it can be written. A single entry is kept directly, "
    "in the frame's own record. From two on they stand in descriptors: pieces of memory with four places each, one after "
    "the other. When a place is freed, another entry moves there: who fills the hole?"
)


NO_MAPPING = -1
"""Stands for no mapping in the menu: there is none to take away."""


class RmapForm(GuestForm):
    """Buttons that map and unmap, the predictions, the map."""

    lab: RmapLab

    def controls(self) -> list[Any]:
        """What can be done to the frame."""
        lab = self.lab
        self.which = menu("Mapping", [], None, "The mapping to take away")
        self.map = self.button("Map once more", "The guest maps the frame once more, and writes to it", lab.map, primary=True)
        self.map_ro = self.button("Map read-only", "The same, without W in the guest's entry", self.read_only)
        self.unmap = self.button("Unmap", "The guest takes the chosen mapping away", self.take_away)
        self.protect = self.button("Make it a page table", "The guest uses the frame as a page table", lab.protect)
        self.reset = self.button("Reset", "A new guest, and the frame mapped nowhere", self.anew)
        return [
            quiet(HELP),
            heading("Predict first"),
            row(lab.count.menu, lab.filler.menu),
            row(self.map, self.map_ro, self.protect, self.reset),
            row(self.which, self.unmap),
        ]

    def read_only(self) -> Round:
        """Map read-only."""
        return self.lab.map(read_only=True)

    def take_away(self) -> Round:
        """Unmap the chosen one."""
        return self.lab.unmap(-1 if self.which.value == NO_MAPPING else self.lab.mapped.index(self.which.value))

    def refresh(self) -> None:
        """The map, and the mappings that can be taken away."""
        super().refresh()
        if self.lab.vm is not None:
            chosen = self.which.value
            known = [(f"{number}: {says}", gva) for number, (gva, says) in enumerate(self.lab.mappings())]
            self.which.options = known or [("(none yet)", NO_MAPPING)]
            self.which.value = chosen if chosen in self.lab.mapped else next(iter(self.lab.mapped), NO_MAPPING)
        self.unmap.disabled = self.which.disabled = not self.lab.mapped
        self.lab.filler.menu.layout.display = "" if self.lab.mapped else "none"  # no hole without an unmap
