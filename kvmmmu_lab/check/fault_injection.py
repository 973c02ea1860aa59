# SPDX-License-Identifier: GPL-2.0-only
"""Mistakes to plant in a healthy machine, for an audit to find.

A mistake changes one shadow entry, or what the reverse maps say of it, past the engine. It is named by what it does, and by
a number: the first, second, ... of the entries that it can be planted in, in the order of pages and indexes (counted round
and round). Where there is none, nothing happens. ``gfn`` is for mistakes that need another frame.

============ ======================================= ==========================================================
mistake      planted in                              what it does
============ ======================================= ==========================================================
"forget"     leaves that can write                   it leaves the map of its frame
"double"     leaves that can write                   it is noted a second time
"misplace"   leaves that can write another frame     it goes from the map of its frame to that of ``gfn``
"empty"      leaves that can write                   it becomes 0, and stays in the map
"close"      leaves that can write                   it loses its W, and stays in the map
"invent"     leaves that can't write                 it is noted in the map of its frame
"open"       leaves that can't write a page table    it gets its W, and is noted
"let in"     the same                                it gets its W, and isn't noted
"mislead"    leaves that lead to another frame       it leads to ``gfn``, and is noted there if it can write
"upper"      links to shadow tables                  it is noted in the map of ``gfn``
"link"       the same                                it is noted in the map of the host frame that the table is in
"slot"       the four root slots, where present      it loses its P, and keeps its address
"stray"      entries 0 of free shadow pages          it becomes one that can write ``gfn``
"ghost"      the same                                and is noted, too
============ ======================================= ==========================================================

A *leaf* is a present entry of a level-1 page in use.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from ..errors import InputError
from ..inspect.names import entry_name
from ..mmu.bits import BASE_MASK, FLAT, PAGE_SHIFT, PRESENT, WRITABLE
from ..mmu.memory import PAE_ROOT
from ..mmu.rmap import ReverseMap
from ..mmu.shadow import entries_with

if TYPE_CHECKING:
    from ..mmu import Vm


class Mistake(NamedTuple):
    """What a mistake does to an entry: ``becomes`` is the word after it; ``loses`` and ``gains`` are the frames whose maps
    lose and get a reference (None: none do)."""

    spte: int
    becomes: int
    loses: int | None = None
    gains: int | None = None


def corrupt(vm: Vm, what: str, number: int = 0, gfn: int = 0) -> Callable[[], None]:
    """Plant a mistake; what takes it back. Raises InputError for one that isn't known."""
    assert isinstance(vm.rmap, ReverseMap)
    mistake = planned(vm, what, number, gfn)
    if mistake is None:
        return lambda: None
    words, rmap, cache = vm.memory.words, vm.rmap, vm.caches.rmap_desc
    before = words[mistake.spte], copy.deepcopy(rmap.heads), cache.free

    def mend() -> None:
        words[mistake.spte], rmap.heads, cache.free = before

    if mistake.loses is not None and mistake.spte in rmap.sptes(mistake.loses):
        rmap.unlink(mistake.loses, mistake.spte)
    if mistake.gains is not None:
        rmap.link(mistake.gains, mistake.spte)
    words[mistake.spte] = mistake.becomes
    return mend


def planned(vm: Vm, what: str, number: int = 0, gfn: int = 0) -> Mistake | None:
    """The mistake that `corrupt` would plant."""
    if what not in MISTAKES:
        raise InputError("mistake", what, f"one of {', '.join(MISTAKES)}")
    places, mistake = MISTAKES[what]
    other = vm.memory.frames[gfn]
    found = [] if other is None else places(vm, other)
    if not found or other is None:
        return None
    spte = found[number % len(found)]
    return Mistake(spte, *mistake(vm.memory.words[spte], frame(vm, spte), other))


def frame(vm: Vm, spte: int) -> int:
    """The host frame that an entry leads to."""
    return (vm.memory.words[spte] & BASE_MASK) >> PAGE_SHIFT


def _leaves(vm: Vm, writable: bool | None = None) -> list[int]:
    words = vm.memory.words
    found = sorted(spte for page in vm.pool.active if page.level == 1 for spte in entries_with(vm, page))
    return found if writable is None else [spte for spte in found if bool(words[spte] & WRITABLE) is writable]


def _writable(vm: Vm, other: int) -> list[int]:
    return _leaves(vm, True)


def _readable(vm: Vm, other: int) -> list[int]:
    return _leaves(vm, False)


def _of_tables(vm: Vm, other: int) -> list[int]:
    tables = {vm.memory.frames[page.gfn] for page in vm.pool.active if not page.metaphysical}
    return [spte for spte in _leaves(vm, False) if frame(vm, spte) in tables]


def _elsewhere(vm: Vm, other: int) -> list[int]:
    return [spte for spte in _leaves(vm) if frame(vm, spte) != other]


def _writable_elsewhere(vm: Vm, other: int) -> list[int]:
    return [spte for spte in _leaves(vm, True) if frame(vm, spte) != other]


def _links(vm: Vm, other: int) -> list[int]:
    return sorted(spte for page in vm.pool.active if page.level > 1 for spte in entries_with(vm, page))


def _slots(vm: Vm, other: int) -> list[int]:
    slots = range(PAE_ROOT << 9, (PAE_ROOT << 9) + 4) if vm.root == PAE_ROOT << PAGE_SHIFT else ()
    return [slot for slot in slots if vm.memory.words[slot] & PRESENT]


def _free(vm: Vm, other: int) -> list[int]:
    words = vm.memory.words
    return sorted(page.spte for page in vm.pool.free if not words[page.spte])


def _led(word: int, to: int) -> int:
    return word & ~BASE_MASK | to << PAGE_SHIFT


MISTAKES: dict[str, tuple[Callable[..., list[int]], Callable[..., tuple]]] = {
    "forget": (_writable, lambda word, own, other: (word, own)),
    "double": (_writable, lambda word, own, other: (word, None, own)),
    "misplace": (_writable_elsewhere, lambda word, own, other: (word, own, other)),
    "empty": (_writable, lambda word, own, other: (0,)),
    "close": (_writable, lambda word, own, other: (word & ~WRITABLE,)),
    "invent": (_readable, lambda word, own, other: (word, None, own)),
    "open": (_of_tables, lambda word, own, other: (word | WRITABLE, None, own)),
    "let in": (_of_tables, lambda word, own, other: (word | WRITABLE,)),
    "mislead": (
        _elsewhere, lambda word, own, other: (_led(word, other), *((own, other) if word & WRITABLE else ())),
    ),
    "upper": (_links, lambda word, own, other: (word, None, other)),
    "link": (_links, lambda word, own, other: (word, None, own)),
    "slot": (_slots, lambda word, own, other: (word & ~PRESENT,)),
    "stray": (_free, lambda word, own, other: (_led(FLAT, other),)),
    "ghost": (_free, lambda word, own, other: (_led(FLAT, other), None, other)),
}  # fmt: skip
"""By name: in which entries, and word, frame whose map loses it, frame whose map gets it, out of the word, its frame and
``gfn``'s."""


def said(vm: Vm, what: str, number: int = 0, gfn: int = 0) -> str:
    """A mistake in words, before it is planted."""
    mistake = planned(vm, what, number, gfn)
    if mistake is None:
        return "planted: nothing, for there is no entry for it"
    gfns, spte = vm.memory.gfns, mistake.spte
    name, own = entry_name(spte), gfns[frame(vm, spte)]
    map_of = f"the map of gfn {own:#x}" if own is not None else "a map"
    along = ", and its reference goes along" if mistake.gains is not None else ""
    words = {
        "forget": f"{name}, which can write, is taken out of {map_of}",
        "double": f"{name}, which can write, is noted a second time in {map_of}",
        "misplace": f"{name}, which can write, is moved from {map_of} to that of gfn {gfn:#x}",
        "empty": f"{name} is emptied, and stays in {map_of}",
        "close": f"{name} loses its W, and stays in {map_of}",
        "invent": f"{name}, which can't write, is noted in {map_of}",
        "open": f"{name}, which leads to the page table in gfn {own or 0:#x}, gets its W, and is noted",
        "let in": f"{name}, which leads to the page table in gfn {own or 0:#x}, gets its W, and isn't noted",
        "mislead": f"{name} leads to gfn {gfn:#x} instead of {own or 0:#x}" + along,
        "upper": f"{name}, which leads to a shadow table, is noted in the map of gfn {gfn:#x}",
        "link": f"{name}, which leads to a shadow table, is noted in the map of the host frame that the table is in",
        "slot": f"root slot {spte & 3} loses its P, and keeps its address",
        "stray": f"{name} of a free shadow page looks as if it could write gfn {gfn:#x}",
        "ghost": f"{name} of a free shadow page looks as if it could write gfn {gfn:#x}, and is noted",
    }
    return f"planted: {words[what]}"


__all__ = ["MISTAKES", "Mistake", "corrupt", "planned", "said"]
