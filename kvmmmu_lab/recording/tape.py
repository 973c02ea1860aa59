# SPDX-License-Identifier: GPL-2.0-only
"""How steps nest: which operation each is inside of, and where that ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..mmu import events as ev

if TYPE_CHECKING:
    from .recorder import Tape


class Structure:
    """Depth, parent and end of every step of a tape, found in one pass and continued as the tape grows.

    An operation that a crash broke off ends where the tape does.
    """

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self.depths, self.parents, self.ends = [0], [0], [0]
        self.open: list[int] = []

    def _follow(self) -> None:
        items, bounds = self.tape.items, self.tape.bounds
        for number in range(len(self.depths), len(bounds)):
            kind = items[bounds[number - 1]]
            if kind is ev.END:
                opened = self.open.pop() if self.open else 0
                self.ends[opened] = number
            depth = len(self.open)
            self.depths.append(depth)
            self.parents.append(opened if kind is ev.END else self.open[-1] if self.open else 0)
            self.ends.append(number)
            if kind.opens:
                self.open.append(number)
        for number in self.open:
            self.ends[number] = len(bounds) - 1

    def depth(self, number: int) -> int:
        """How many operations a step is inside of; the step that ends an operation counts as outside of it."""
        self._follow()
        return self.depths[number]

    def parent(self, number: int) -> int | None:
        """The step that began the operation that this one is inside of, or ends; None at the top."""
        self._follow()
        return self.parents[number] or None

    def end(self, number: int) -> int:
        """Where the operation that this step begins ends; the step itself, if it begins none."""
        self._follow()
        return self.ends[number]

    def operations(self) -> list[tuple[int, int]]:
        """First and last step of each operation at the top."""
        self._follow()
        return [
            (number, self.ends[number])
            for number in range(1, len(self.depths))
            if not self.depths[number] and self.tape.items[self.tape.bounds[number - 1]] is not ev.END
        ]
