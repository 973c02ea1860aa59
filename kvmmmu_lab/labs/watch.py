# SPDX-License-Identifier: GPL-2.0-only
"""`watch`: run one operation, and step through what it did, forward and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ..draw.arguments import check_gva
from ..errors import InputError, LabError
from ..mmu.machine import Machine
from ..player.film import Film
from ..player.film_steps import Draw
from ..recording import Recording, record


def watch(
    operation: Callable[[], Any],
    vm: Machine,
    focus: Iterable[int] = (),
    *,
    draw: Draw | None = None,
    detail: bool = False,
) -> Watch:
    """Run ``operation``, for instance ``lambda: vm.access(gva)``, and return the film of it.

    ``focus``: addresses whose paths are drawn, besides those that the operation uses. ``draw``: another picture (see `film`).
    ``detail``: every event is a step. A `LabError` in the operation (a crash of the host, an address that isn't possible)
    is shown as a card at the end of the film; any other exception is raised. Afterwards nothing is attached to ``vm``.

    Raises InputError for a focus that isn't an address, or if ``vm`` has a sink already.
    """
    if not callable(operation):
        raise InputError("operation", operation, "a function: watch(lambda: vm.access(...), vm)")
    gvas = list(focus)
    for gva in gvas:
        check_gva(vm, gva)
    result, recording = None, None
    try:
        with record(vm) as recording:
            result = operation()
    except LabError:
        if recording is None:
            raise
        # else the recording has the error, and the film shows it
    return Watch(recording, gvas, draw, detail, result)


class Watch(Film):
    """The film of an operation. ``result`` is what it returned, ``error`` the exception that ended it, or None."""

    def __init__(self, recording: Recording, gvas: list[int], draw: Draw | None, detail: bool, result: Any) -> None:
        super().__init__(recording, gvas, draw, detail, "")
        self.result = result

    def __str__(self) -> str:
        return f"{super().__str__()}\n\nAt the end: {self.error or self.result}"

    __repr__ = __str__
