# SPDX-License-Identifier: GPL-2.0-only
"""Mistakes to plant in a healthy machine, for an audit to find.

A mistake bypasses the engine and changes one shadow entry, or its references in the reverse maps. A number selects one of
the suitable entries, which are sorted by page and index; a number that is too large wraps around. If no entry is suitable,
nothing happens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from ..errors import InputError
from ..inspect.names import entry_name
from ..mmu import Vm
from ..mmu.bits import BASE_MASK, FLAT, PAGE_SHIFT, PRESENT, WRITABLE
from ..mmu.memory import PAE_ROOT
from ..mmu.rmap import ReverseMap
from ..mmu.shadow import entries_with


class Effect(NamedTuple):
    """A mistake's effect: the entry's new ``word``, and the frames whose reverse maps lose and gain a reference to it."""

    word: int
    loses: int | None = None
    gains: int | None = None


class Damage(NamedTuple):
    """The entry ``spte`` and the effect of a mistake on it."""

    spte: int
    effect: Effect


@dataclass(frozen=True)
class Mistake:
    """A kind of mistake.

    ``places(vm, other)`` returns the suitable entries. ``change(word, frame, other)`` returns the effect on an entry: ``frame``
    is the host frame that the entry leads to, ``other`` a second host frame, which only some mistakes use. ``words`` describes
    the mistake; it may contain {entry}, {frame}, {map} (the frame's reverse map), {gfn} (of the second frame), and {moved}.
    """

    name: str
    places: Callable[[Vm, int], list[int]]
    change: Callable[[int, int, int], Effect]
    words: str

    def plan(self, vm: Vm, number: int = 0, gfn: int = 0) -> Damage | None:
        """What `plant` would do, or None if nothing. ``number`` selects a suitable entry; ``gfn`` is the other frame's."""
        other = vm.memory.frames[gfn]
        places = [] if other is None else self.places(vm, other)
        if not places or other is None:
            return None
        spte = places[number % len(places)]
        return Damage(spte, self.change(vm.memory.words[spte], _frame(vm, spte), other))

    def plant(self, vm: Vm, number: int = 0, gfn: int = 0) -> Callable[[], None]:
        """Plant the mistake; return a function that undoes it."""
        damage = self.plan(vm, number, gfn)
        if damage is None:
            return lambda: None
        assert isinstance(vm.rmap, ReverseMap)
        (spte, effect), words, rmap, cache = damage, vm.memory.words, vm.rmap, vm.caches.rmap_desc
        heads = {hfn: head if isinstance(head, int) else [list(row) for row in head] for hfn, head in rmap.heads.items()}
        before = words[spte], heads, cache.free

        def undo() -> None:
            words[spte], rmap.heads, cache.free = before

        if effect.loses is not None and spte in rmap.sptes(effect.loses):
            rmap.unlink(effect.loses, spte)
        if effect.gains is not None:
            rmap.link(effect.gains, spte)
        words[spte] = effect.word
        return undo

    def say(self, vm: Vm, number: int = 0, gfn: int = 0) -> str:
        """Describe what `plant` would do."""
        damage = self.plan(vm, number, gfn)
        if damage is None:
            return "nothing is planted, because no entry fits"
        spte, effect = damage
        own_gfn = vm.memory.gfns[_frame(vm, spte)]
        said = self.words.format(
            entry=f"root slot {spte & 511}" if spte >> 9 == PAE_ROOT else entry_name(spte),
            map="a reverse map" if own_gfn is None else f"the reverse map of gfn {own_gfn:#x}",
            frame=f"gfn {own_gfn or 0:#x}",
            gfn=f"gfn {gfn:#x}",
            moved=", and its reference moves along" if effect.gains is not None else "",
        )
        return f"{said} (a planted mistake)"


def mistake(name: str) -> Mistake:
    """The mistake with this name. Raises InputError if there is none."""
    if name not in MISTAKES:
        raise InputError("mistake", name, f"one of {', '.join(MISTAKES)}")
    return MISTAKES[name]


# The entries that are suitable for mistakes. A leaf is a present entry of a level-1 page in use.


def _frame(vm: Vm, spte: int) -> int:
    """The host frame that an entry leads to."""
    return (vm.memory.words[spte] & BASE_MASK) >> PAGE_SHIFT


def _leaves(vm: Vm, other: int) -> list[int]:
    return sorted(spte for page in vm.pool.active if page.level == 1 for spte in entries_with(vm, page))


def _writable(vm: Vm, other: int) -> list[int]:
    return [spte for spte in _leaves(vm, other) if vm.memory.words[spte] & WRITABLE]


def _readonly(vm: Vm, other: int) -> list[int]:
    return [spte for spte in _leaves(vm, other) if not vm.memory.words[spte] & WRITABLE]


def _readonly_to_tables(vm: Vm, other: int) -> list[int]:
    tables = {vm.memory.frames[page.gfn] for page in vm.pool.active if not page.metaphysical}
    return [spte for spte in _readonly(vm, other) if _frame(vm, spte) in tables]


def _elsewhere(vm: Vm, other: int) -> list[int]:
    return [spte for spte in _leaves(vm, other) if _frame(vm, spte) != other]


def _writable_elsewhere(vm: Vm, other: int) -> list[int]:
    return [spte for spte in _writable(vm, other) if _frame(vm, spte) != other]


def _links(vm: Vm, other: int) -> list[int]:
    return sorted(spte for page in vm.pool.active if page.level > 1 for spte in entries_with(vm, page))


def _root_slots(vm: Vm, other: int) -> list[int]:
    slots = range(PAE_ROOT << 9, (PAE_ROOT << 9) + 4) if vm.root == PAE_ROOT << PAGE_SHIFT else ()
    return [slot for slot in slots if vm.memory.words[slot] & PRESENT]


def _of_free_pages(vm: Vm, other: int) -> list[int]:
    return sorted(page.spte for page in vm.pool.free if not vm.memory.words[page.spte])


def _to(word: int, frame: int) -> int:
    """``word``, changed to lead to another frame."""
    return word & ~BASE_MASK | frame << PAGE_SHIFT


MISTAKES = {
    mistake.name: mistake
    for mistake in (
        Mistake(
            "forget", _writable, lambda word, frame, other: Effect(word, frame),
            "{entry}, which is writable, is removed from {map}",
        ),
        Mistake(
            "double", _writable, lambda word, frame, other: Effect(word, None, frame),
            "{entry}, which is writable, is added to {map} a second time",
        ),
        Mistake(
            "misplace", _writable_elsewhere, lambda word, frame, other: Effect(word, frame, other),
            "{entry}, which is writable, is moved from {map} to that of {gfn}",
        ),
        Mistake(
            "empty", _writable, lambda word, frame, other: Effect(0),
            "{entry} becomes 0 and stays in {map}",
        ),
        Mistake(
            "close", _writable, lambda word, frame, other: Effect(word & ~WRITABLE),
            "{entry} loses its W and stays in {map}",
        ),
        Mistake(
            "absent", _writable, lambda word, frame, other: Effect(word & ~PRESENT),
            "{entry} loses its P, keeps its W and stays in {map}",
        ),
        Mistake(
            "invent", _readonly, lambda word, frame, other: Effect(word, None, frame),
            "{entry}, which is read-only, is added to {map}",
        ),
        Mistake(
            "open", _readonly_to_tables, lambda word, frame, other: Effect(word | WRITABLE, None, frame),
            "{entry}, which leads to the page table in {frame}, gets its W and is added to the reverse map",
        ),
        Mistake(
            "let in", _readonly_to_tables, lambda word, frame, other: Effect(word | WRITABLE),
            "{entry}, which leads to the page table in {frame}, gets its W and isn't added to the reverse map",
        ),
        Mistake(
            "mislead", _elsewhere,
            lambda word, frame, other: Effect(_to(word, other), *((frame, other) if word & WRITABLE else ())),
            "{entry} leads to {gfn} instead of {frame}{moved}",
        ),
        Mistake(
            "upper", _links, lambda word, frame, other: Effect(word, None, other),
            "{entry}, which leads to a shadow table, is added to the reverse map of {gfn}",
        ),
        Mistake(
            "link", _links, lambda word, frame, other: Effect(word, None, frame),
            "{entry}, which leads to a shadow table, is added to the reverse map of the table's own host frame",
        ),
        Mistake(
            "slot", _root_slots, lambda word, frame, other: Effect(word & ~PRESENT),
            "{entry} loses its P and keeps its address",
        ),
        Mistake(
            "stray", _of_free_pages, lambda word, frame, other: Effect(_to(FLAT, other)),
            "{entry} of a free shadow page looks like a writable mapping of {gfn}",
        ),
        Mistake(
            "ghost", _of_free_pages, lambda word, frame, other: Effect(_to(FLAT, other), None, other),
            "{entry} of a free shadow page looks like a writable mapping of {gfn}, and is added to its reverse map",
        ),
    )
}  # fmt: skip
"""The mistakes by name."""
