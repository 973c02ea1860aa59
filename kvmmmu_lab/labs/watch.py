# SPDX-License-Identifier: GPL-2.0-only
"""`watch`: run one operation and look at it step by step, forward and back."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, NoReturn

from ..draw.arguments import check_gva
from ..errors import InputError, LabError
from ..mmu.machine import Machine
from ..player.film import Film, film
from ..player.frames import Draw
from ..recording import Recording, record


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
    (see `recording`). ``detail``: every single event is a step. What goes wrong in the model (a crash of the host, an address
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


# FOLDED IN: labs.magic: ``%%record vm``: record what a notebook's cell does, and show it as a film. ``%load_ext
# kvmmmu_lab`` makes it known.
#
# ::
#
#     %%record vm 0x400000 --detail --into fault
#     vm.access(0x400000, user=True)
#
# The recording is in the variable ``fault`` afterwards (``recording``, if no name is given).


CELL = "<recorded cell>"
USAGE = "%%record VM [GVA...] [--detail] [--into NAME], as in: %%record vm 0x400000"


class _Arguments(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError("%%record", message if "required" not in message else "nothing to record", USAGE)


def _parse(line: str) -> argparse.Namespace:
    parser = _Arguments(prog="%%record", add_help=False)
    parser.add_argument("vm")
    parser.add_argument("gvas", nargs="*")
    parser.add_argument("--detail", action="store_true")
    parser.add_argument("--into", default="recording")
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise InputError("%%record", line, f"{USAGE} ({error})") from None
    arguments = parser.parse_args(words)
    if not arguments.into.isidentifier():
        raise InputError("--into", arguments.into, "a name for a variable")
    return arguments


def _value(text: str, names: dict[str, Any], expected: str) -> Any:
    try:
        return eval(text, names)  # the notebook's own code, in the notebook's own names
    except Exception as error:
        raise InputError("%%record", text, f"{expected} ({type(error).__name__}: {error})") from None


def record_cell(line: str, cell: str, shell: Any) -> None:
    """Run the cell with a recorder attached, keep the recording under its name, show the film.

    An error of the kit's own ends the film with a card; any other comes through, after the film of what came before it.
    """
    arguments, names = _parse(line), shell.user_ns
    vm = _value(arguments.vm, names, "the name of a Vm")
    if not isinstance(vm, Machine):
        raise InputError("%%record", arguments.vm, f"the name of a Vm: {USAGE}")
    gvas = [_value(gva, names, "an address") for gva in arguments.gvas]
    code = compile(shell.transform_cell(cell), CELL, "exec")
    kept: Recording | None = None
    try:
        with record(vm) as kept:
            exec(code, names)
    except LabError:
        if kept is None:
            raise
    except Exception as error:
        if kept is not None:
            _keep(names, arguments, kept, gvas)
        raise error.with_traceback(_of_cell(error)) from None
    _keep(names, arguments, kept, gvas)


def _keep(names: dict[str, Any], arguments: argparse.Namespace, kept: Recording, gvas: list[int]) -> None:
    """Keep the recording under its name, and show the film."""
    from IPython.display import display

    names[arguments.into] = kept
    display(film(kept, *gvas, detail=arguments.detail))


def _of_cell(error: Exception) -> TracebackType | None:
    """The traceback from the cell's own code on: how it came to run is nobody's concern."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != CELL:
        trace = trace.tb_next
    return trace or error.__traceback__


def load(shell: Any) -> None:
    """Register the magic with an IPython shell."""
    shell.register_magic_function(lambda line, cell: record_cell(line, cell, shell), "cell", "record")

