# SPDX-License-Identifier: GPL-2.0-only
"""The exits that a recorded guest would have with nested paging: the host fills its tables when a frame is used first.

With nested paging the processor reads the guest's own tables. The guest exits if the host's tables lack a frame that the
processor uses, be it data or a guest table, and the host then adds it. It also exits at each access to a device.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data import open_trace
from ..data.trace import ACCESS
from ..errors import LabError
from ..inspect.keys import PDPT
from ..inspect.paths import guest_path
from .trace_replay import TraceReplay

LARGE = 9
"""A large page of the host has 2**9 frames: 2 MB."""


@dataclass(frozen=True, eq=False)
class FirstTouches:
    """Running counts along the events of a recording: ``frames`` of 4 KiB that were used, and ``large`` pages of 2 MB.

    Each is what the host would have added to its tables so far, if it maps memory in pages of this size.
    """

    frames: np.ndarray
    large: np.ndarray


@functools.cache
def first_touches(name: str) -> FirstTouches:
    """Count the frames that a recorded guest uses for the first time. Raises InputError for an unknown name."""

    def differ(where: str, what: str, expected: Any, got: Any) -> None:
        raise LabError(f"{where}: {what}: {expected} expected, {got} found")

    trace = open_trace(name)
    replay = TraceReplay(trace, "native", differ)
    replay.start()
    vm, n = replay.vm, len(trace.type)
    frames, large = np.zeros(n, int), np.zeros(n, int)
    seen, regions = set[int](), set[int]()
    for event in range(replay.at, n):
        if trace.type[event] == ACCESS:
            path = guest_path(vm, int(trace.a[event]))
            used = {step.number for step in path.steps if step.table != PDPT}
            if path.gfn is not None and vm.memory.frames[path.gfn] is not None:
                used.add(path.gfn)
            new = used - seen
            seen |= new
            frames[event] = len(new)
            large[event] = len({gfn >> LARGE for gfn in new} - regions)
            regions |= {gfn >> LARGE for gfn in new}
        replay.to(event + 1)
    return FirstTouches(np.cumsum(frames), np.cumsum(large))
