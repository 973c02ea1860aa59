# SPDX-License-Identifier: GPL-2.0-only
"""The tape: all that is kept of what a machine did, as plain values, and how its steps nest.

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
"""Items of tape between two keyframes: about 13,000 steps. Going to a step starts from the keyframe before it."""


@dataclass
class Tape:
    """The events of a machine, and what it takes to go back to any of them.

    ``items``: all events, item after item; ``bounds[k]`` is the length of ``items`` after step k. A list while the tape
    grows, an array once it is sealed.
    ``start``: `snapshot.take` at step 0; ``frames``, ``pages``: the host frames that weren't empty then and their words,
    shape (n, 512).
    ``changes``: each changed word of host memory, four numbers a change: step, index of the word, old value, new value.
    ``moves``: the steps at which shadow pages, reverse maps, parents or dirty logs changed; the events say how.
    ``samples[name]``: two lists, the steps at which a part of `snapshot.PARTS` changed without an event, and its values.
    ``parts``: which of "rmaps" and "parents" a replaced part keeps. Their samples are (frame or page, what the part said
    of it).
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
        # How the steps nest: read off in one pass, and continued as the tape grows
        self._depths, self._parents, self._ends = [0], [0], [0]
        self._open: list[int] = []

    def __len__(self) -> int:
        """The number of steps, step 0 included."""
        return len(self.bounds)

    @property
    def nframes(self) -> int:
        """How many host frames there were at the end, which is the most there ever were."""
        return int(self.samples["slots"][1][-1][2])

    def event(self, step: int) -> tuple:
        """The event of a step (not of step 0) as the engine reported it, but for the contents of a page that was filled."""
        return tuple(self.items[self.bounds[step - 1] : self.bounds[step]])

    def seal(self) -> None:
        """Nothing more will come: keep the items where the garbage collector doesn't look, in an array."""
        sealed = np.empty(len(self.items), object)
        sealed[:] = self.items
        self.items = sealed

    def depth(self, step: int) -> int:
        """How many operations a step is inside of. The step that ends an operation is outside of it."""
        self._follow()
        return self._depths[step]

    def parent(self, step: int) -> int | None:
        """The step that opened the operation that this step is inside of, or ends; None at the top."""
        self._follow()
        return self._parents[step] or None

    def end(self, step: int) -> int:
        """The step that ends the operation that this step opens; the last step, if a crash broke it off.

        The step itself, if it opens none.
        """
        self._follow()
        return self._ends[step]

    def operations(self) -> list[tuple[int, int]]:
        """First and last step of each operation at the top."""
        self._follow()
        items, bounds = self.items, self.bounds
        return [
            (step, self._ends[step])
            for step in range(1, len(self._depths))
            if not self._depths[step] and items[bounds[step - 1]] is not ev.END
        ]

    def _follow(self) -> None:
        """Take in the steps that came since the last call."""
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
