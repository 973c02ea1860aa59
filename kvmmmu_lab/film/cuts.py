# SPDX-License-Identifier: GPL-2.0-only
"""From steps to what is shown: a *cut* is a stretch of steps that a film shows as one.

A first look has a cut for each step that means something by itself; a detailed one for every event. Several steps of the
same kind in a row, such as the four reads of a walk, are one cut.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..mmu import events as ev
from ..read.names import Names
from .recording import Change, Recording
from .tags import tags_of
from .words import ENDINGS, JOINED, MAIN, sentence

READS = (ev.HARDWARE_READ, ev.GUEST_READ)
"""Kinds that a first look shows besides those of `words.MAIN`."""


@dataclass
class Cut:
    """Steps shown as one. ``step``: the last of them, whose state is shown; ``steps`` and their ``events``: those told."""

    step: int
    words: str
    kind: ev.Kind
    depth: int
    events: list[tuple] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)

    @property
    def tags(self) -> list[str]:
        """All that its events are about."""
        return list(dict.fromkeys(tag for event in self.events for tag in tags_of(event)))


def cuts(recording: Recording, first: int, last: int, detail: bool = False) -> list[Cut]:
    """The cuts of steps ``first`` to ``last``."""
    found: list[Cut] = []
    run: Cut | None = None
    for number in range(first, last + 1):
        event = recording.raw(number)
        kind, names = event[0], Names(recording.at(number))
        if kind is ev.END:
            opened = _opened(recording, number)
            words = ENDINGS[opened](event[1]) if opened in ENDINGS else ""
            if words:
                found.append(Cut(number, words, opened, recording.depth(number)))
                run = None
        elif run is not None and kind is run.kind and kind in JOINED:
            run.step = number
            run.events.append(event)
            run.steps.append(number)
            run.words = sentence(names, run.events, _around(recording, number))
        elif detail or kind in MAIN or kind in READS:
            words = sentence(names, [event], _around(recording, number))
            run = Cut(number, words, kind, recording.depth(number), [event], [number])
            found.append(run)
    return found


def _around(recording: Recording, number: int) -> tuple | None:
    parent = recording.parent(number)
    return None if parent is None else recording.raw(parent)


def _opened(recording: Recording, number: int) -> ev.Kind:
    around = _around(recording, number)
    return ev.END if around is None else around[0]


def changes(recording: Recording, cut: Cut) -> list[Change]:
    """What memory a cut changed."""
    return [change for number in cut.steps for change in recording.changes(number)]
