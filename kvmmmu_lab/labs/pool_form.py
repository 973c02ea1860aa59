# SPDX-License-Identifier: GPL-2.0-only
"""The form of `pool_lab`."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from ..mmu.pool import NUM_PAGES
from .form import WORDS, GuestForm, heading, row
from .lab import Round
from .pools import PoolLab


class PoolForm(GuestForm):
    """Buttons that touch memory, the predictions, the queue."""

    lab: PoolLab

    def controls(self) -> list[Any]:
        """What the guest can do."""
        lab = self.lab
        self.count, self.region = self.number("regions", 50, "How many regions to touch"), self.number("region", 0, "Which one")
        self.next = self.button("Touch the next region", "One more region of 2 MB", lab.touch, primary=True)
        self.many = self.button("Touch the next", "So many; it stops when room had to be made", self.touch_many)
        self.old = self.button("Touch again", "A region that was touched before", self.touch_old)
        self.reset = self.button("New guest", "Begin anew", self.anew)
        return [
            heading("Predict first: will this touch need room, and who has to go?"),
            row(lab.who.menu, lab.evicted.menu),
            row(self.next, self.reset),
            row(self.many, self.count, self.old, self.region),
        ]

    def number(self, name: str, value: int, tooltip: str) -> Any:
        """A small number to fill in."""
        return widgets.BoundedIntText(
            value=value,
            min=0,
            max=NUM_PAGES if name == "regions" else 10**6,
            description=name,
            tooltip=tooltip,
            style=WORDS,
            layout={"width": "140px", "margin": "2px 24px 2px 2px"},
        )

    def touch_many(self) -> Round:
        """As many as the field says."""
        return self.lab.touch(self.count.value)

    def touch_old(self) -> Round:
        """An old region."""
        return self.lab.again(self.region.value)
