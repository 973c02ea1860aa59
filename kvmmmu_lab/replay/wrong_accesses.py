# SPDX-License-Identifier: GPL-2.0-only
"""The accesses of a real guest that go wrong when a mechanism of the MMU is missing."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from ..data import open_trace
from ..errors import InputError
from ..mmu import Vm
from .mechanisms import WITHOUT
from .trace_replay import WAYS, TraceReplay

WORDS = {None: "nothing missing", "prewrite": "without pre-write", "write-protection": "without write protection"}
"""What each mechanism is called when it is missing."""


@dataclass(frozen=True)
class WrongAccess:
    """An access of a replay that doesn't do what it did on the real processor. ``gva``: its address; 0 after a host crash."""

    event: int
    gva: int
    expected: str
    got: str

    def __str__(self) -> str:
        return f"event {self.event:,}, gva {self.gva:#x}: expected: {self.expected}; happened: {self.got}"


@functools.cache
def wrong_accesses(name: str, without: str | None, way: str) -> tuple[WrongAccess, ...]:
    """Replay a trace of the kit without a mechanism (a key of `WITHOUT`, or None), and return the accesses that go wrong.

    ``way``: "native" or "emulated" (see `trace_replay`). Raises InputError for an unknown name.
    """
    if without is not None and without not in WITHOUT:
        raise InputError("without", without, f"None or one of {', '.join(WITHOUT)}")
    if way not in WAYS:
        raise InputError("way", way, f"one of {', '.join(WAYS)}")
    trace, texts = open_trace(name), list[tuple[str, str]]()

    def differ(where: str, what: str, expected: Any, got: Any) -> None:
        texts.append((str(expected), str(got)))

    parts = {} if without is None else WITHOUT[without][1]
    replay = TraceReplay(trace, way, differ, functools.partial(Vm, **parts))
    replay.run()
    found = zip(replay.differences, texts, strict=True)
    return tuple(WrongAccess(event, int(trace.a[event]) if event >= 0 else 0, *words) for (event, _), words in found)
