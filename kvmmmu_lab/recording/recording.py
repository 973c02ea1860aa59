# SPDX-License-Identifier: GPL-2.0-only
"""`Recording`: the steps that a machine took, the effect of each, and the machine at any of them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from ..errors import InputError
from ..inspect.entries import difference
from ..inspect.keys import GUEST, Key, key_of
from ..inspect.names import Names, parse_entry_name
from ..mmu import events as ev
from ..mmu.bits import PAGE_SHIFT
from ..mmu.checks import whole
from ..mmu.events import Event, describe
from ..mmu.machine import Machine
from . import store
from .moment import Moment, Replica
from .narration import TAGS, Ended, ending, sentence, tags_of
from .tape import Tape

SHOWN_WORDS = 8
"""The maximum number of changed words that are listed for a filled page."""


@dataclass(frozen=True)
class Change:
    """Bytes of host memory that a step changed.

    ``size`` is in bytes. ``target``: where the entry now leads, if it is present and led elsewhere before; else empty.
    """

    key: Key
    name: str
    hpa: int
    size: int
    old: int
    new: int
    target: str = ""

    @property
    def bits(self) -> str:
        """The changed bits of the entry, and its new target: "P W U A set; leads to #250"."""
        bits = difference(self.old, self.new, shadow=self.key.kind != GUEST)
        return "; ".join(filter(None, [bits, self.target and f"leads to {self.target}"]))


@dataclass(frozen=True)
class Step:
    """One step of a recording.

    ``words``: what happened, as a sentence. ``function``, ``source``: the kernel function and its lines. ``depth``: the number
    of operations that enclose it; ``parent``: the step that opened the innermost of them, None at the top level. ``event`` is
    None in step 0. ``tags``: see `narration.TAGS`.
    """

    number: int
    words: str
    function: str
    source: str
    depth: int
    parent: int | None
    event: Event | None
    changes: tuple[Change, ...]
    tags: tuple[str, ...]

    @property
    def place(self) -> str:
        """The kernel function and its source lines, if they are known."""
        return ", ".join(filter(None, (self.function and f"{self.function}()", self.source)))

    def __str__(self) -> str:
        return f"{self.number:>4} {'  ' * self.depth}{self.words}" + (f"  [{self.place}]" if self.place else "")


class Recording:
    """A sequence of `Step` objects: step 0 is the state before the first event, step k is the k-th event.

    ``error`` is the exception that ended the recorded block, or None.
    """

    def __init__(self, tape: Tape, error: Exception | None = None) -> None:
        self.tape, self.error = tape, error

    def __len__(self) -> int:
        return len(self.tape.bounds)

    def __iter__(self) -> Iterator[Step]:
        return map(self.__getitem__, range(len(self)))

    def __repr__(self) -> str:
        return f"<recording of {len(self) - 1:,} steps in {len(self.operations()):,} operations>"

    def __getitem__(self, step: int) -> Step:
        number = self.number(step)
        if not number:
            return Step(0, "Before the first step.", "", "", 0, None, None, (), ())
        event, parent = self.raw(number), self.parent(number)
        kind = event[0]
        names = Names(self.at(number))
        if (ended := self.ended(number)) is not None:
            kind = ended.kind
            words = ending(ended)
        else:
            words = sentence(names, [event], self.enclosing(number))
        where = kind.function, kind.source, self.depth(number), parent
        return Step(number, words, *where, describe(event), self.changes(number), tags_of(event))

    def number(self, step: int) -> int:
        """The number of a step, counted from 0; a negative ``step`` counts from the end. Raises InputError if there is no such
        step."""
        number = step if isinstance(step, bool) else whole("step", step, "the number of a step")
        if isinstance(step, bool) or not -len(self) <= number < len(self):
            raise InputError("step", step, f"a step of this recording: 0 to {len(self) - 1}")
        return number % len(self)

    @functools.cached_property
    def _replica(self) -> Replica:
        return Replica(self.tape)

    def at(self, step: int) -> Machine:
        """The machine after ``step``, as a `Moment`, which can be drawn and read like a live machine. Raises InputError."""
        return cast(Machine, Moment(self._replica, self.number(step)))

    def raw(self, step: int) -> tuple:
        """The event of a step (not step 0) as the engine reported it, but without the contents of a filled page."""
        return self.tape.event(step)

    def changes(self, step: int) -> tuple[Change, ...]:
        """The changes that a step made in memory; for a filled page, only the first of them."""
        number = self.number(step)
        if not number:
            return ()
        event, moment = self.raw(number), self.at(number)
        names = Names(moment)
        if event[0].change:
            rows = [tuple(event[1:])]
        else:
            rows = [(at << 3, 8, old, new) for at, old, new in self._replica.changed(number)[:SHOWN_WORDS].tolist()]
        return tuple(
            Change(key_of(moment, hpa), names.entry(hpa), hpa, size, old, new, names.leads(hpa, old, new))
            for hpa, size, old, new in rows
        )

    def ended(self, step: int) -> Ended | None:
        """The operation that a step ends, or None."""
        number = self.number(step)
        opened = self.parent(number) if number else None
        if opened is None or self.raw(number)[0] is not ev.END:
            return None
        inside = range(opened + 1, number)
        return Ended(
            Names(self.at(number)),
            self.raw(opened),
            self.raw(number)[1],
            self.at(opened),
            lambda: frozenset(self.raw(inner)[0] for inner in inside),
        )

    # Stepping, as in a debugger

    def depth(self, step: int) -> int:
        """The number of operations that enclose a step. The step that ends an operation is outside it."""
        return self.tape.depth(self.number(step))

    def parent(self, step: int) -> int | None:
        """The step that opened the operation that encloses this step, or that this step ends; None at the top level."""
        return self.tape.parent(self.number(step))

    def enclosing(self, step: int) -> list[tuple]:
        """The raw events that opened the operations that enclose a step, innermost first."""
        found, parent = [], self.parent(step)
        while parent is not None:
            found.append(self.raw(parent))
            parent = self.parent(parent)
        return found

    def operations(self) -> list[tuple[int, int]]:
        """The first and last step of each operation at the top level."""
        return self.tape.operations()

    def over(self, step: int) -> int:
        """The next step that isn't inside this one; the last step if there is none."""
        number = self.number(step)
        return min(self.tape.end(number) + 1, len(self) - 1) if number else min(1, len(self) - 1)

    def out(self, step: int) -> int:
        """The step that ends the operation that encloses this step; at the top level, the last step of the recording."""
        number = self.number(step)
        inside = self.parent(number)
        if number and self.raw(number)[0] is ev.END and inside is not None:
            inside = self.parent(inside)  # this step ends that operation, so it is already outside it
        return len(self) - 1 if inside is None else self.tape.end(inside)

    # Search

    def find(self, text: str) -> list[int]:
        """The steps with ``text`` in their words, function or source, ignoring case. Raises InputError."""
        if not isinstance(text, str) or not text:
            raise InputError("text", text, "the text to find, a string that isn't empty")
        sought = text.lower()
        return [step.number for step in self if sought in f"{step.words} {step.place}".lower()]

    def where(
        self,
        *,
        kind: str | None = None,
        tag: str | None = None,
        spte: str | int | None = None,
        gfn: int | None = None,
    ) -> list[int]:
        """The steps that match all given filters.

        ``kind``: the name of an event, such as "zap_spte". ``tag``: "rmap", "page"... (`narration.TAGS`). ``spte``: changes of
        this shadow entry, by its name ("#248:457") or as its hpa // 8. ``gfn``: steps that concern this guest frame: its
        bytes, its reverse map, its shadow pages. Raises InputError.
        """
        match, event = _Filter(self.at, kind, tag, spte, gfn), self.tape.event
        return [number for number in range(1, len(self)) if match(number, event(number))]

    def save(self, path: str | Path) -> Path:
        """Save to one file (see `store`). Raises InputError."""
        return store.save(self.tape, self.error, path)


def load(path: str | Path) -> Recording:
    """Read a recording that `Recording.save` wrote. Raises DataError for a damaged or foreign file, or a newer format."""
    return Recording(*store.load(path))


class _Filter:
    """A test of whether a step matches all filters of `Recording.where`. ``at`` returns the machine at a step."""

    def __init__(
        self,
        at: Callable[[int], Machine],
        kind: str | None,
        tag: str | None,
        spte: str | int | None,
        gfn: int | None,
    ) -> None:
        if kind is not None and (not isinstance(kind, str) or kind not in ev.KINDS):
            raise InputError("kind", kind, f"one of {', '.join(sorted(ev.KINDS))}")
        if tag is not None and (not isinstance(tag, str) or tag not in TAGS):
            raise InputError("tag", tag, f"one of {', '.join(TAGS)}")
        if gfn is not None and whole("gfn", gfn, "a guest frame number") < 0:
            raise InputError("gfn", gfn, "a guest frame number")
        self.at, self.kind, self.tag, self.gfn = at, kind, tag, gfn
        self.spte = None if spte is None else _spte(spte)

    def __call__(self, number: int, event: tuple) -> bool:
        kind = event[0]
        if self.kind is not None and kind.name != self.kind:
            return False
        if self.tag is not None and self.tag not in tags_of(event):
            return False
        if self.spte is not None and not (kind.change and event[1] >> 3 == self.spte):
            return False
        return self.gfn is None or self._concerns(number, event)

    def _concerns(self, number: int, event: tuple) -> bool:
        values = dict(zip(event[0].operands, event[1:], strict=True))
        if "gpa" in values:
            return values["gpa"] >> PAGE_SHIFT == self.gfn
        if "gfn" in values:
            return values["gfn"] == self.gfn
        if "hfn" in values:
            hfn = values["hfn"]
        elif "hpa" in values:
            hfn = values["hpa"] >> PAGE_SHIFT
        else:
            return False
        return self.at(number).memory.gfns[hfn] == self.gfn


def _spte(spte: str | int) -> int:
    if isinstance(spte, str):
        return parse_entry_name(spte)
    if isinstance(spte, int) and not isinstance(spte, bool) and spte >= 0:
        return spte
    raise InputError("spte", spte, "a shadow entry, by its name ('#248:457') or as its hpa // 8")
