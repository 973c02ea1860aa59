# SPDX-License-Identifier: GPL-2.0-only
"""The tape: the recorded events and state changes of a machine, as plain values, and how its steps nest.

Step 0 is the state before the first event, step k is the k-th event. An event that opens an operation is followed by the
steps inside it and by the `END` that closes it::

    12 page_fault            depth 0
    13   walk                depth 1
    14     guest_read        depth 2
    ...
    18   end of walk         depth 1
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..mmu import events as ev

KEYFRAME = 60_000
"""The number of items between two keyframes, about 13,000 steps. A replay to a step starts at the last keyframe before it."""


@dataclass
class Tape:
    """The events of a machine, and the data needed to restore its state at each of them.

    ``items``: the items of all events in one sequence; ``bounds[k]`` is its length after step k. ``items`` is a list while
    the tape grows, and an array once it is sealed.
    ``start``: `snapshot.take` at step 0; ``frames``, ``pages``: the host frames that weren't empty then and their words,
    shape (n, 512).
    ``changes``: each changed word of host memory, as four numbers: step, index of the word, old value, new value.
    ``moves``: the steps at which shadow pages, reverse maps, parents or dirty logs changed; their events contain the change.
    ``samples[name]``: two lists, the steps at which a part of `snapshot.PARTS` changed without an event, and its values.
    ``parts``: which of "rmaps" and "parents" a replaced part holds. Their samples are (frame or page, its sptes).
    ``keyframes``: pairs of a step and a pickled `snapshot.take`.
    """

    start: dict[str, Any]
    frames: np.ndarray
    pages: np.ndarray
    parts: tuple[str, ...] = ()
    items: Any = field(default_factory=list)
    bounds: array[int] = field(default_factory=lambda: array("Q", [0]))
    changes: array[int] = field(default_factory=lambda: array("Q"))
    moves: array[int] = field(default_factory=lambda: array("Q"))
    samples: dict[str, tuple[list[int], list[Any]]] = field(default_factory=dict)
    keyframes: list[tuple[int, bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        # How the steps nest. This is computed in one pass, which continues as the tape grows
        self._depths, self._parents, self._ends = [0], [0], [0]
        self._open: list[int] = []

    def __len__(self) -> int:
        """The number of steps, step 0 included."""
        return len(self.bounds)

    @property
    def nframes(self) -> int:
        """The number of host frames at the end of the tape. It is also the maximum, since the number never decreases."""
        return int(self.samples["slots"][1][-1][2])

    def event(self, step: int) -> tuple:
        """The event of a step (not step 0) as the engine reported it, but without the contents of a filled page."""
        return tuple(self.items[self.bounds[step - 1] : self.bounds[step]])

    def seal(self) -> None:
        """Finish the tape: move its items into an array, which the garbage collector doesn't scan."""
        sealed = np.empty(len(self.items), object)
        sealed[:] = self.items
        self.items = sealed

    def depth(self, step: int) -> int:
        """The number of operations that enclose a step. The step that ends an operation is outside it."""
        self._follow()
        return self._depths[step]

    def parent(self, step: int) -> int | None:
        """The step that opened the operation that encloses this step, or that this step ends; None at the top level."""
        self._follow()
        return self._parents[step] or None

    def end(self, step: int) -> int:
        """The step that ends the operation that this step opens; the last step if a crash interrupted the operation.

        If the step opens no operation, the result is the step itself.
        """
        self._follow()
        return self._ends[step]

    def operations(self) -> list[tuple[int, int]]:
        """The first and last step of each operation at the top level."""
        self._follow()
        items, bounds = self.items, self.bounds
        return [
            (step, self._ends[step])
            for step in range(1, len(self._depths))
            if not self._depths[step] and items[bounds[step - 1]] is not ev.END
        ]

    def _follow(self) -> None:
        """Process the steps that were recorded since the last call."""
        items, bounds = self.items, self.bounds
        for step in range(len(self._depths), len(bounds)):
            kind = items[bounds[step - 1]]
            if kind is ev.END:
                opened = self._open.pop() if self._open else 0
                self._ends[opened] = step
            self._depths.append(len(self._open))
            self._parents.append(opened if kind is ev.END else self._open[-1] if self._open else 0)
            self._ends.append(step)
            if kind.opens:
                self._open.append(step)
        for step in self._open:
            self._ends[step] = len(bounds) - 1
