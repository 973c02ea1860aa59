# SPDX-License-Identifier: GPL-2.0-only
"""`watch`: run one operation and look at it step by step, forward and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ..draw.arguments import check_gva
from ..errors import InputError, LabError
from ..film import Recording, record
from ..mmu.machine import Machine
from ..player.film import Film
from ..player.shoot import Draw


def watch(
    operation: Callable[[], Any],
    vm: Machine,
    focus: Iterable[int] = (),
    *,
    draw: Draw | None = None,
    detail: bool = False,
) -> Watch:
    """Run ``operation``, for instance ``lambda: vm.access(gva)``, and return its steps, to be stepped through.

    ``focus``: addresses whose paths are drawn; those that the operation touches are added. ``draw``: another picture
    (see `film`). ``detail``: every single event is a step. What goes wrong in the model (a crash of the host, an address
    that can't be) becomes a readable card; nothing stays attached to ``vm``. Raises InputError for a focus that isn't an
    address, or when ``vm`` has a sink already.
    """
    if not callable(operation):
        raise InputError("operation", operation, "something to call: watch(lambda: vm.access(...), vm)")
    chosen = list(focus)
    for gva in chosen:
        check_gva(vm, gva)
    result, recording = None, None
    try:
        with record(vm) as recording:
            result = operation()
    except LabError:
        if recording is None:
            raise
        # else the recording has it, and the film says so
    return Watch(recording, chosen, draw, detail, result)


class Watch(Film):
    """A watched operation: a `Film` that also has its ``result`` (what it returned) and ``error`` (what ended it, or
    None)."""

    def __init__(self, recording: Recording, gvas: list[int], draw: Draw | None, detail: bool, result: Any) -> None:
        super().__init__(recording, gvas, draw, detail, "")
        self.result = result

    def __str__(self) -> str:
        return f"{super().__str__()}\n\nAt the end: {self.error or self.result}"

    __repr__ = __str__
