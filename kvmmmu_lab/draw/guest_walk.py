# SPDX-License-Identifier: GPL-2.0-only
"""A picture of the host's walk of the guest's tables: what it checks at each level, in order, and what it sets.

Below each guest table is a box with a row for each check. The walk stops at the first check that fails; what it has not
reached is empty. The last box is the result: the frame with its rights, or the error code, bit by bit. In a film, the accessed
bits light up one by one (see `labs.watch.watch_guest_walk`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ..inspect.keys import PDPT, Key
from ..inspect.names import LEVELS
from ..inspect.paths import Path, PathEntry, guest_path
from ..inspect.processor import processor_error
from ..inspect.refusal import Request, refusals
from ..mmu.bits import (
    ACCESSED,
    CR0_WP,
    EFER_NX,
    NONPAGING,
    NX,
    PAGE_SHIFT,
    PAGE_SIZE,
    PFERR_PRESENT,
    PRESENT,
    RIGHTS,
    ROOT_32,
    ROOT_PAE,
    USER,
    WRITABLE,
    error_code,
    mode_of_levels,
)
from ..mmu.machine import Machine
from .page_tables import NOT_PAGING
from .scene import Entry, Marks, Scene
from .scene_builder import SceneBuilder

OK, MISSING, REFUSED, NOT_ASKED = "ok", "missing", "refused", "-"
"""The verdicts of a check. Checks that the walk doesn't reach have none."""

RESULT = Key("w:result")
"""The box of the result."""

CODE_BITS = (
    (0, "P", REFUSED, MISSING),
    (1, "W", "write", "no write"),
    (2, "U", "user code", "kernel"),
    (4, "I", "fetch", "no fetch"),
)
"""The bits of an error code that the host's walk can set: number, letter, and what 1 and 0 mean."""


class WalkCheck(NamedTuple):
    """One check at one level: the name of the bit, its value, the verdict, and an explanation."""

    name: str
    value: str
    verdict: str
    says: str = ""


def checks_key(level: int) -> Key:
    """Return the key of the box with the checks at a level."""
    return Key(f"w:{level}")


def rights_text(rights: int) -> str:
    """Return access rights as two letters in fixed places: "WU", "W.", ".U" or ".."."""
    return ("W" if rights & WRITABLE else ".") + ("U" if rights & USER else ".")


class Walked:
    """The walk of a request: its path, the level at which it stops (or None), the rights down to each level, and the error code
    (or None)."""

    def __init__(self, vm: Machine, request: Request) -> None:
        self.vm, self.request = vm, request
        self.path: Path = guest_path(vm, request.gva)
        refused = refusals(vm, request, self.path.steps)
        self.stop = refused[0].entry.level if refused else None
        self.missing = bool(refused) and refused[0].bits == ("P",)
        self.rights: dict[int, int] = {}
        rights = RIGHTS
        for step in self.path.steps:
            rights &= step.entry if step.table != PDPT else RIGHTS
            self.rights[step.level] = rights
        self.error: int | None = None
        if refused:
            self.error = error_code(request.write, request.user, request.fetch) | (0 if self.missing else PFERR_PRESENT)

    def reaches(self, step: PathEntry) -> bool:
        """Return whether the walk reads this entry."""
        return self.stop is None or step.level >= self.stop

    def checks(self, step: PathEntry) -> list[WalkCheck]:
        """Return the checks of an entry, in the order of the walk. Those after one that fails have no verdict."""
        entry, vm, request = step.entry, self.vm, self.request
        found = [WalkCheck("P", str(entry & 1), OK if entry & PRESENT else MISSING, "present?")]
        if step.table == PDPT:
            return found
        found.append(self._writable(entry))
        verdict = NOT_ASKED if not request.user else OK if entry & USER else REFUSED
        found.append(WalkCheck("U", str(entry >> 2 & 1), verdict, "user access?"))
        if vm.root_level != ROOT_32:
            asked = request.fetch and vm.cpu.efer & EFER_NX
            why = "NX off" if request.fetch else NOT_ASKED
            found.append(WalkCheck("NX", str(entry >> 63), (REFUSED if entry & NX else OK) if asked else why, "no execution?"))
        stop = next((number for number, check in enumerate(found) if check.verdict in (MISSING, REFUSED)), len(found))
        stopped = stop < len(found)
        found = [check if number <= stop else check._replace(verdict="") for number, check in enumerate(found)]
        accessed = "" if entry & ACCESSED else "stays 0" if stopped else "to set"
        found.append(WalkCheck("A", str(entry >> 5 & 1), accessed, "accessed before?"))
        rights = "" if stopped else rights_text(self.rights[step.level])
        return [*found, WalkCheck("=", rights, "", "granted by all entries down to here")]

    def _writable(self, entry: int) -> WalkCheck:
        request = self.request
        if not request.write:
            verdict = NOT_ASKED
        elif entry & WRITABLE:
            verdict = OK
        else:
            verdict = REFUSED if request.user or self.vm.cpu.cr0 & CR0_WP else "WP off"
        return WalkCheck("W", str(entry >> 1 & 1), verdict, "writable?")

    def result(self) -> tuple[str, list[WalkCheck]]:
        """Return the result in a few words, and its rows."""
        if self.error is not None:
            rows = []
            for bit, letter, yes, no in CODE_BITS:
                there = self.error >> bit & 1
                rows.append(WalkCheck(letter, str(there), yes if there else no, f"bit {bit}"))
            return f"error code {self.error:#x}", rows
        assert self.path.gfn is not None
        gpa = self.path.gfn << PAGE_SHIFT | self.request.gva & PAGE_SIZE - 1
        last = self.path.steps[-1]
        return f"gpa {gpa:#x}", [WalkCheck("=", rights_text(self.rights[last.level]), "")]

    def processor_note(self) -> str:
        """Return what a processor would say, if it differs, as a note."""
        theirs = processor_error(self.vm, self.request)
        if theirs == self.error:
            return "a processor would come to the same result"
        return f"a processor would say {'that the access is allowed' if theirs is None else f'error code {theirs:#x}'}"


def guest_walk_scene(vm: Machine, request: Request, marks: Marks | None = None, reached: int | None = 1) -> Scene:
    """Return the walk of a request through the guest's tables, as it would go now. Nothing changes, not even accessed bits.

    ``reached``: the lowest level that the walk has reached at this moment of a film; None if it has not begun. Its checks and
    those above it are shown.
    """
    builder = SceneBuilder(vm, marks)
    kind = "fetch" if request.fetch else "write" if request.write else "read"
    title = f"the walk for a {kind} by {'user code' if request.user else 'the kernel'} at {request.gva:#x}"
    mode = mode_of_levels(vm.root_level).guest
    if vm.root_level == NONPAGING:
        return builder.scene(f"{mode}: {title}", [NOT_PAGING])
    walked = Walked(vm, request)
    steps = walked.path.steps
    builder.path(0, walked.path, "guest", rmap=False)
    for step in steps:
        there = reached is not None and step.level >= reached and walked.reaches(step)
        builder.box(
            checks_key(step.level),
            "list",
            step.level,
            0,
            f"at the {LEVELS[step.level]}",
            (),
            list(_rows(builder, walked, step, there)),
        )
    done = reached is not None and reached <= (steps[-1].level if walked.stop is None else walked.stop)
    _result(builder, walked, done)
    notes = []
    if vm.root_level == ROOT_PAE:
        notes.append("the four PDPTEs are held in registers, and are only checked for P")
    if done:
        notes.append(walked.processor_note())
    return builder.scene(f"{mode}: {title}", notes)


def _rows(builder: SceneBuilder, walked: Walked, step: PathEntry, there: bool) -> Iterable[Entry]:
    """Yield the rows of a box of checks; without values if the walk is not ``there`` yet."""
    table, mark = checks_key(step.level), builder.mark(step.key)
    for number, check in enumerate(walked.checks(step)):
        key = table.entry(number)
        builder.on_path[key] = None  # no row is left out on a slide
        if not there:
            yield Entry(key, check.name, "", "", "", check.says)
        elif check.name == "A" and mark == "changed" and builder.marks.was[step.key] & ACCESSED == 0:
            yield Entry(key, check.name, check.value, "set", "changed", check.says)
        else:
            yield Entry(key, check.name, check.value, check.verdict, "read" * (check.verdict in (MISSING, REFUSED)), check.says)


def _result(builder: SceneBuilder, walked: Walked, done: bool) -> None:
    words, rows = walked.result() if done else ("not known yet", [])
    builder.on_path |= {RESULT.entry(number): None for number in range(len(rows))}
    entries = [Entry(RESULT.entry(number), row.name, row.value, row.verdict, "", row.says) for number, row in enumerate(rows)]
    builder.box(RESULT, "list", 0, 0, "result", (words,), entries)


class GuestWalkView:
    """Draws each step of a film of one walk. A film calls it once for each step, in their order: it follows how far the walk
    has come by the entries that a step marks."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.reached: int | None = None

    def __call__(self, vm: Machine, marks: Marks) -> Scene:
        """Return the scene of the next step."""
        steps = guest_path(vm, self.request.gva).steps
        levels = [step.level for step in steps if step.key in marks.of]
        if levels:
            self.reached = min(levels)
        elif vm.root_level == ROOT_PAE and len(steps) == 1:
            self.reached = ROOT_PAE  # the walk ends at a PDPTE, which isn't read from memory
        return guest_walk_scene(vm, self.request, marks, self.reached)
