# SPDX-License-Identifier: GPL-2.0-only
"""The form of `pool_lab`."""

from __future__ import annotations

from typing import Any

from ..mmu.pool import NUM_PAGES
from .form import Field, GuestForm, heading, quiet, row
from .lab import Round
from .pools import PoolLab

HELP = (
    "A region is 2 MB of addresses: what one page table maps. So each region that is touched needs a shadow page of its own. "
    "FIFO (first in, first out) gives up what was made first; LRU (least recently used) what nobody used for longest."
)


class PoolForm(GuestForm):
    """Buttons that touch memory, the predictions, the queue."""

    lab: PoolLab

    def controls(self) -> list[Any]:
        """What the guest can do."""
        lab = self.lab
        self.counts = self.number("count", f"regions (1 to {NUM_PAGES})", 50, "How many regions to touch")
        self.regions = self.number("region", "region", 0, "Which one")
        self.count, self.region = self.counts.text, self.regions.text
        self.next = self.button("Touch the next region", "One more region of 2 MB", lab.touch, primary=True)
        self.many = self.button("Touch the next", "So many; it stops when room had to be made", self.touch_many)
        self.old = self.button("Touch again", "A region that was touched before", self.touch_old)
        self.reset = self.button("New guest", "Begin anew", self.anew)
        return [
            quiet(HELP),
            heading("Predict first: will this touch need room, and who has to go?"),
            row(lab.who.menu, lab.evicted.menu),
            row(self.next, self.reset),
            row(self.many, self.count, self.old, self.region),
            self.counts.message,
            self.regions.message,
        ]

    def number(self, argument: str, name: str, value: int, tooltip: str) -> Field:
        """A number to fill in. One that can't be is told, not bent into its bounds as a bounded field would."""
        return self.field(argument, name, value, tooltip, width=f"{110 + 7 * len(name)}px")

    def touch_many(self) -> Round:
        """As many as the field says."""
        return self.lab.touch(self.count.value)

    def touch_old(self) -> Round:
        """An old region."""
        return self.lab.again(self.region.value)
