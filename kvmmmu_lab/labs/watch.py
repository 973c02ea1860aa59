# SPDX-License-Identifier: GPL-2.0-only
"""`watch` and ``%%record``: run an operation or a notebook cell, and step through what it did, forwards and backwards.

``%load_ext kvmmmu_lab`` defines the cell magic::

    %%record vm 0x400000 --detail --into fault
    vm.access(0x400000, user=True)

It shows the film of the cell. Afterwards the variable ``fault`` is the recording (``recording`` if no name is given). Both fold
the way to an action if earlier cells have shown it; ``print(watch(...).text(every=True))`` lists every step.
"""

from __future__ import annotations

import argparse
import itertools
import shlex
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, NoReturn

from ..draw.arguments import check_gva, possible_gva
from ..draw.audit_counters import audit_counters_scene
from ..draw.bit_row import bit_row_scene
from ..draw.guest_walk import GuestWalkView
from ..draw.large_pages import fan_out
from ..draw.page_tables import hierarchy_scene, walk_scene
from ..draw.root_slots import root_slots_scene
from ..draw.scene import Marks, Scene
from ..errors import InputError, LabError
from ..inspect.refusal import Request
from ..mmu import events as ev
from ..mmu.machine import Machine
from ..mmu.vm import Vm
from ..player.cell_output import has_kernel, running
from ..player.film import Film, film
from ..player.film_steps import Draw, Kinds
from ..recording import Recording, record


def watch(
    operation: Callable[[], Any],
    vm: Machine,
    focus: Iterable[int] = (),
    *,
    draw: Draw | None = None,
    detail: bool = False,
    seen: Iterable[str] | None = None,
    question: str = "",
    only: Kinds | None = None,
) -> Watch:
    """Run ``operation``, for instance ``lambda: vm.access(gva)``, and return its film.

    ``focus``: addresses whose paths are drawn, in addition to those that the operation uses. ``draw``: another picture (see
    `film`). ``detail``: make every event a step. ``only``: the kinds of events that become steps, by default all. ``seen``:
    what the viewer has seen before (see `film`), by default what earlier cells of the notebook have shown; ``()`` shows
    everything once more. ``question``: what a slide asks at step 0 (see `film`). A `LabError` from the operation (a crash of
    the host, an invalid address) is shown as a card at the end of the film; any other exception propagates. In either case
    the recorder is detached from ``vm``.

    Raises InputError if ``focus`` contains an invalid address, or if ``vm`` already has a sink.
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
        # otherwise the recording contains the error, and the film shows it
    return Watch(recording, gvas, draw, detail, result, shown_before() if seen is None else seen, question, only)


def watch_bits(operation: Callable[[], Any], vm: Machine, gva: int) -> Watch:
    """Like `watch`, but draw the bits of the guest's last entry and of the spte for gva, as `bit_row` does."""
    check_gva(vm, gva)
    return watch(operation, vm, draw=lambda now, marks: bit_row_scene(now, gva, marks))


def watch_large_page(operation: Callable[[], Any], vm: Machine, *gvas: int) -> Watch:
    """Like `watch`, but draw the large page of the first address, as `large_page` does."""
    for gva in gvas:
        check_gva(vm, gva)
    return watch(operation, vm, draw=fan_out(*gvas))


COUNTED = frozenset(
    [
        *(ev.ACCESS, ev.EMULATED_WRITE, ev.SET_SLOT, ev.DIRTY_LOG, ev.CRASH, ev.LOAD_ROOT, ev.ALLOC_PAGE),
        *(ev.MAKE_SPTE, ev.ALLOW_WRITE, ev.FIX_READ, ev.PROTECT_SPTE, ev.PROTECT_SLOT_SPTE, ev.ZAP_SPTE, ev.UNLINK_CHILD),
        *(ev.RMAP_ADD, ev.RMAP_REMOVE, ev.NONPAGING_MAP),
    ]
)
"""The kinds of events that a film of the counters shows: operations, and what changes shadow entries or reverse maps."""


def watch_counters(operation: Callable[[], Any], vm: Machine, *, question: str = "") -> Watch:
    """Run ``operation``, and return a film of `audit_counters`: what the first audit would count at each step.

    Steps that concern neither shadow entries nor reverse maps are left out.
    """
    return watch(operation, vm, draw=audit_counters_scene, question=question, only=COUNTED)


def watch_walk(operation: Callable[[], Any], vm: Machine, gva: int, *, question: str = "") -> Watch:
    """Like `watch`, but draw what `walk` does: the fields of an address, which are marked when the entries that they select are
    read, and its path through both trees. While the address is impossible in the guest's mode, no path is drawn."""
    check_gva(vm, gva)

    def draw(now: Machine, marks: Marks) -> Scene:
        return walk_scene(now, gva, marks) if possible_gva(now, gva) else hierarchy_scene(now, [], marks)

    return watch(operation, vm, draw=draw, question=question)


def watch_guest_walk(
    vm: Vm, gva: int, *, write: bool = False, user: bool = False, fetch: bool = False, question: str = ""
) -> Watch:
    """Perform an access, and return a film of the host's walk of the guest's tables: `guest_walk` at each step.

    The walk has a step of its own for each level whose accessed bit was clear.
    """
    view = GuestWalkView(Request(check_gva(vm, gva), write, user, fetch))
    return watch(lambda: vm.access(gva, write=write, user=user, fetch=fetch), vm, draw=view, question=question)


PINNING = frozenset(
    [
        *(ev.LOAD_CR0, ev.LOAD_CR3, ev.LOAD_CR4, ev.GENERAL_PROTECTION, ev.CRASH, ev.NEW_CR3, ev.RESET_CONTEXT, ev.FREE_ROOTS),
        *(ev.ALLOC_ROOTS, ev.GET_PAGE, ev.ALLOC_PAGE, ev.ZAP_PAGE, ev.FREE_PAGE, ev.ROOT_COUNT, ev.ROOT_SLOT, ev.FLUSH),
        ev.LOAD_ROOT,
    ]
)
"""The kinds of events that a film of the roots shows: loads of registers, and what concerns roots and their pins."""


def watch_roots(operation: Callable[[], Any], vm: Machine, *, detail: bool = True) -> Watch:
    """Like `watch`, but draw the roots and their pins, as `root_slots` does.

    Each pin that is set or taken away is a step, unless ``detail`` is false: below 64-bit mode, a load of CR3 has many.
    """
    return watch(operation, vm, draw=root_slots_scene, detail=detail, only=PINNING)


class Watch(Film):
    """The film of an operation. ``result`` is its return value; ``error`` is the exception that ended it, or None."""

    def __init__(
        self,
        recording: Recording,
        gvas: list[int],
        draw: Draw | None,
        detail: bool,
        result: Any,
        seen: Iterable[str] = (),
        question: str = "",
        only: Kinds | None = None,
    ) -> None:
        super().__init__(recording, gvas, draw, detail, "", seen, question, only)
        self.result = result

    def text(self, every: bool = False) -> str:
        """Return the steps, the last picture, and the result as text (see `Film.text`)."""
        return f"{super().text(every)}\n\nResult: {self.error or self.result}"

    def _ipython_display_(self) -> None:
        remember(self)
        super()._ipython_display_()


# What the films of a notebook have shown: the way to an action is watched once in full, and then folded

SHOWN = "_kvmmmu_shown"
"""The variable of a notebook that holds the patterns of the routine steps that the films of each cell have shown, in the order
of the cells' first runs. ``%reset`` removes it."""


def shown_before() -> set[str]:
    """Return the patterns of the routine steps that films in earlier cells of this notebook have shown; none outside of one.

    A cell that runs again doesn't count itself, nor the cells after it, so that it shows the same film again.
    """
    cells, current = _shown()
    return set().union(*(cells[cell] for cell in itertools.takewhile(lambda cell: cell != current, cells)))


def remember(shown: Film) -> None:
    """Note that the present cell shows a film: films in later cells fold the steps that lead to what it is about."""
    cells, cell = _shown()
    cells[cell] = cells.get(cell, set()) | shown.routine


def _shown() -> tuple[dict[str, set[str]], str]:
    """Return what the films of each cell have shown, and the cell that runs."""
    if not has_kernel():
        return {}, ""
    from IPython import get_ipython

    cell, run = running()
    return get_ipython().user_ns.setdefault(SHOWN, {}), cell or run


# The cell magic

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
        raise InputError("--into", arguments.into, "a variable name")
    return arguments


def _evaluate(text: str, names: dict[str, Any], expected: str) -> Any:
    try:
        return eval(text, names)  # this is the user's own code, in the user's own namespace
    except Exception as error:
        raise InputError("%%record", text, f"{expected} ({type(error).__name__}: {error})") from None


def record_cell(line: str, cell: str, shell: Any) -> None:
    """Run a cell with a recorder attached, assign the recording to its variable, and show the film.

    A `LabError` is shown as a card at the end of the film. Any other exception is raised after the film has been shown.
    """
    arguments, names = _parse(line), shell.user_ns
    vm = _evaluate(arguments.vm, names, "the name of a Vm")
    if not isinstance(vm, Machine):
        raise InputError("%%record", arguments.vm, f"the name of a Vm: {USAGE}")
    gvas = [_evaluate(gva, names, "an address") for gva in arguments.gvas]
    code = compile(shell.transform_cell(cell), CELL, "exec")
    recording: Recording | None = None
    try:
        with record(vm) as recording:
            exec(code, names)
    except LabError:
        if recording is None:
            raise
    except Exception as error:
        if recording is not None:
            _assign_and_show(names, arguments, recording, gvas)
        raise error.with_traceback(_cell_traceback(error)) from None
    _assign_and_show(names, arguments, recording, gvas)


def _assign_and_show(names: dict[str, Any], arguments: argparse.Namespace, recording: Recording, gvas: list[int]) -> None:
    """Assign the recording to its variable, and show the film."""
    from IPython.display import display

    names[arguments.into] = recording
    shown = film(recording, *gvas, detail=arguments.detail, seen=shown_before())
    remember(shown)
    display(shown)


def _cell_traceback(error: Exception) -> TracebackType | None:
    """Return the traceback without the frames above the cell's own code."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != CELL:
        trace = trace.tb_next
    return trace or error.__traceback__


def load_magic(shell: Any) -> None:
    """Register ``%%record`` with an IPython shell."""
    shell.register_magic_function(lambda line, cell: record_cell(line, cell, shell), "cell", "record")
