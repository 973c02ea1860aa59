# SPDX-License-Identifier: GPL-2.0-only
"""Which steps concern an entry, a frame, a kind of event."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from ..errors import InputError
from ..inspect.entries import difference
from ..inspect.keys import GUEST, Key, key_of
from ..inspect.names import Names, parse_entry_name
from ..mmu import events as ev
from ..mmu.bits import PAGE_SHIFT
from ..mmu.checks import whole
from ..mmu.events import Event, describe
from ..mmu.machine import Machine
from .moment import Moment, Replica
from .narration import TAGS, ending, sentence, tags_of
from .tape import Structure

if TYPE_CHECKING:
    from .recorder import Tape


class Filter:
    """Whether a step fits all that was asked for (see `Recording.where`)."""

    def __init__(
        self, recording: Recording, kind: str | None, tag: str | None, spte: str | int | None, gfn: int | None
    ) -> None:
        if kind is not None and (not isinstance(kind, str) or kind not in ev.KINDS):
            raise InputError("kind", kind, f"one of {', '.join(sorted(ev.KINDS))}")
        if tag is not None and (not isinstance(tag, str) or tag not in TAGS):
            raise InputError("tag", tag, f"one of {', '.join(TAGS)}")
        if gfn is not None and whole("gfn", gfn, "a guest frame number") < 0:
            raise InputError("gfn", gfn, "a guest frame number")
        self.recording, self.kind, self.tag, self.gfn = recording, kind, tag, gfn
        self.spte = None if spte is None else reference(spte)

    def __call__(self, number: int, event: tuple) -> bool:
        """Whether step ``number``, which is ``event``, fits."""
        kind = event[0]
        if self.kind is not None and kind.name != self.kind:
            return False
        if self.tag is not None and self.tag not in tags_of(event):
            return False
        if self.spte is not None and not (kind.change and event[1] >> 3 == self.spte):
            return False
        return self.gfn is None or self._concerns(number, event)

    def _concerns(self, number: int, event: tuple) -> bool:
        kind = event[0]
        values = dict(zip(kind.operands, event[1:], strict=True))
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
        return self.recording.at(number).memory.gfns[hfn] == self.gfn


def reference(spte: str | int) -> int:
    """A shadow entry as its hpa // 8, given so or by its name. Raises InputError."""
    if isinstance(spte, str):
        return parse_entry_name(spte)
    if isinstance(spte, int) and not isinstance(spte, bool) and spte >= 0:
        return spte
    raise InputError("spte", spte, "a shadow entry, by its name ('#248:457') or as its hpa // 8")


# FOLDED IN: film.recording: `Recording`: the steps that a machine took, what each of them did, and the machine at any
# of them.
#
# Step 0 is before anything happened, step k is the k-th event. Events nest: an event that opens an operation is followed by
# the steps inside, and by one that ends it::
#
#     12 page_fault            depth 0
#     13   walk                depth 1
#     14     guest_read        depth 2
#     ...
#     18   end of walk         depth 1


RAW_WORDS = 8
"""So many words of a page that is filled are told one by one."""


@dataclass(frozen=True)
class Change:
    """Bytes of host memory that a step changed: ``key`` of the entry (as in pictures), its ``name``, ``hpa``, ``size`` in
    bytes, ``old`` and ``new`` value, where a present entry now leads (``target``, empty if nowhere else than before)."""

    key: Key
    name: str
    hpa: int
    size: int
    old: int
    new: int
    target: str = ""

    @property
    def bits(self) -> str:
        """The difference bit by bit, as entries: "P W U A set; leads to #250"."""
        bits = difference(self.old, self.new, shadow=self.key.kind != GUEST)
        return "; ".join(filter(None, [bits, self.target and f"leads to {self.target}"]))


@dataclass(frozen=True)
class Step:
    """One step. ``function`` and ``source`` say where in the kernel; ``depth`` and ``parent`` what it is inside of.

    ``parent``: the step that began that operation, None at the top. ``tags``: see `tags.TAGS`.
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
        """Function and lines, as far as there are any."""
        return ", ".join(filter(None, (self.function and f"{self.function}()", self.source)))

    def __str__(self) -> str:
        return f"{self.number:>4} {'  ' * self.depth}{self.words}" + (f"  [{self.place}]" if self.place else "")


class RecordedError(Exception):
    """Stands, in a recording that was loaded, for an exception that was no LabError; ``name`` is its type's."""

    def __init__(self, name: str, said: str) -> None:
        self.name = name
        super().__init__(said)


class Recording:
    """A sequence of `Step`. ``error`` is the exception that ended the recorded block, if one did."""

    def __init__(self, tape: Tape, error: Exception | None = None) -> None:
        self.tape, self.error = tape, error
        self._replica: Replica | None = None
        self._structure = Structure(tape)

    def __len__(self) -> int:
        return len(self.tape.bounds)

    def __iter__(self) -> Iterator[Step]:
        return map(self.__getitem__, range(len(self)))

    def __repr__(self) -> str:
        return f"<recording of {len(self) - 1:,} steps in {len(self.operations()):,} operations>"

    def number(self, step: int) -> int:
        """``step`` as a number from 0 on; negative ones count from the end. Raises InputError for one that isn't there."""
        number = step if isinstance(step, bool) else whole("step", step, "the number of a step")
        if isinstance(step, bool) or not -len(self) <= number < len(self):
            raise InputError("step", step, f"a step of this recording: 0 to {len(self) - 1}")
        return number % len(self)

    def at(self, step: int) -> Machine:
        """The machine after ``step``, as a `Moment`: to be drawn, read and asked like a live one. Raises InputError."""
        if self._replica is None:
            self._replica = Replica(self.tape)
        return cast(Machine, Moment(self._replica, self.number(step)))

    def raw(self, step: int) -> tuple:
        """The event of a step (not of step 0) as the engine reported it; a page that was filled has its values left out."""
        bounds = self.tape.bounds
        return tuple(self.tape.items[bounds[step - 1] : bounds[step]])

    def __getitem__(self, step: int) -> Step:
        number = self.number(step)
        if not number:
            return Step(0, "Before it begins.", "", "", 0, None, None, (), ())
        event, moment = self.raw(number), self.at(number)
        kind, depth, parent = event[0], self.depth(number), self.parent(number)
        if kind is ev.END and parent is not None:
            opened = self.raw(parent)[0]
            words, kind = ending(opened, event[1]), opened
        else:
            words = sentence(Names(moment), [event], None if parent is None else self.raw(parent))
        where = kind.function, kind.source
        return Step(number, words, *where, depth, parent, describe(event), self.changes(number), tags_of(event))

    def changes(self, step: int) -> tuple[Change, ...]:
        """What memory a step changed; of a page that was filled, the first words."""
        number = self.number(step)
        if not number:
            return ()
        event, moment = self.raw(number), self.at(number)
        names = Names(moment)
        if event[0].change:
            rows = [tuple(event[1:])]
        else:
            rows = [(at << 3, 8, old, new) for at, old, new in self._words(number)[:RAW_WORDS].tolist()]
        return tuple(
            Change(key_of(moment, hpa), names.entry(hpa), hpa, size, old, new, names.leads(hpa, old, new))
            for hpa, size, old, new in rows
        )

    def _words(self, number: int) -> np.ndarray:
        assert self._replica is not None
        return self._replica.changed(number)

    # Stepping, as in a debugger

    def depth(self, step: int) -> int:
        """How many operations a step is inside of; the step that ends one counts as outside of it."""
        return self._structure.depth(self.number(step))

    def parent(self, step: int) -> int | None:
        """The step that began the operation which this one is inside of, or ends; None at the top."""
        return self._structure.parent(self.number(step))

    def operations(self) -> list[tuple[int, int]]:
        """First and last step of each operation at the top."""
        return self._structure.operations()

    def over(self, step: int) -> int:
        """The next step that isn't inside of this one; the last step, if there is none."""
        number = self.number(step)
        return min(self._structure.end(number) + 1, len(self) - 1) if number else min(1, len(self) - 1)

    def out(self, step: int) -> int:
        """The step that ends the operation which this one is inside of; the last of all, at the top."""
        number = self.number(step)
        inside = self.parent(number)
        if number and self.raw(number)[0] is ev.END and inside is not None:
            inside = self.parent(inside)  # it ends that one, and stands outside of it already
        return len(self) - 1 if inside is None else self._structure.end(inside)

    # Search

    def find(self, text: str) -> list[int]:
        """Steps whose words, or function, have ``text`` in them; upper and lower case are the same."""
        if not isinstance(text, str) or not text:
            raise InputError("text", text, "some words to look for")
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
        """Steps that fit all that is given.

        ``kind``: an event's name, "zap_spte". ``tag``: "rmap", "page"... (`tags.TAGS`). ``spte``: changes of this shadow
        entry, as "#248:457" or as a reference. ``gfn``: what concerns this guest frame: its bytes, its reverse map.
        Raises InputError.
        """
        pass

        fits = Filter(self, kind, tag, spte, gfn)
        return [number for number in range(1, len(self)) if fits(number, self.raw(number))]

    def save(self, path: str | Path) -> Path:
        """Save to one file (see `store`). Raises InputError."""
        from .store import save

        return save(self, path)

