# SPDX-License-Identifier: GPL-2.0-only
"""The picture of guest memory: memory slots, their dirty logs, and aliases."""

from __future__ import annotations

from itertools import groupby

from ..inspect.keys import memory_alias, memory_slot
from ..mmu.machine import Machine
from ..mmu.memory import Alias, Slot
from .scene import Entry, Marks, Scene
from .scene_builder import LIMIT, SceneBuilder, more, plural


def memory_slots_scene(vm: Machine, marks: Marks | None = None, limit: int | None = None) -> Scene:
    """Return the memory slots with their dirty logs, and the aliases. ``limit``: maximum number of ranges per slot."""
    builder, most = SceneBuilder(vm, marks), LIMIT if limit is None else limit
    notes = []
    for number, slot in enumerate(vm.memory.slots):
        if slot.npages:
            ranges = _dirty(slot)
            rows = [_range(builder, number, slot, first, count) for first, count in ranges[:most]]
            rest = f"{len(ranges) - most} more ranges" if len(ranges) > most else ""
            if rest:
                way = f"limit={more(most, len(ranges))} draws more"
                notes.append(f"of slot {number}, {most} of {len(ranges)} dirty ranges are drawn; {way}")
            builder.box(memory_slot(number), "list", 0, number, f"slot {number}", _slot_words(slot), rows, rest)
    for number, alias in enumerate(vm.memory.aliases):
        if alias is not None:
            _alias(builder, number, alias)
    used = sum(bool(slot.npages) for slot in vm.memory.slots)
    aliases = sum(alias is not None for alias in vm.memory.aliases)
    title = f"Guest memory: {used} of {len(vm.memory.slots)} slots and {aliases} of {len(vm.memory.aliases)} aliases in use"
    return builder.scene(title, notes)


def _span(base: int, count: int) -> str:
    return f"gfn {base:#x}..{base + count - 1:#x}" if count > 1 else f"gfn {base:#x}"


def _size(npages: int) -> str:
    return f"{npages >> 8} MB" if npages >= 1 << 8 and not npages & 0xFF else f"{npages * 4} KB"


def _slot_words(slot: Slot) -> tuple[str, ...]:
    log = "no dirty log" if slot.log is None else f"dirty log: {plural(sum(slot.log), 'page')} written"
    where = f"in host frames {slot.hfn:#x}..{slot.hfn + slot.npages - 1:#x}"
    return _span(slot.base, slot.npages), f"{plural(slot.npages, 'page')}, {_size(slot.npages)}", where, log


def _dirty(slot: Slot) -> list[tuple[int, int]]:
    """Return the ranges of written pages as (first page, number of pages). Pages are counted from the slot's base."""
    if slot.log is None:
        return []
    runs = groupby(enumerate(slot.log), key=lambda page: bool(page[1]))
    return [(pages[0][0], len(pages)) for written, group in runs if written and (pages := list(group))]


def _range(builder: SceneBuilder, number: int, slot: Slot, first: int, count: int) -> Entry:
    key = memory_slot(number).entry(first)
    return Entry(key, "dirty", "", _span(slot.base + first, count), builder.mark(key), plural(count, "page"))


def _alias(builder: SceneBuilder, number: int, alias: Alias) -> None:
    words = (_span(alias.base, alias.npages), f"is {_span(alias.target, alias.npages)}")
    builder.box(memory_alias(number), "list", 1, number, f"alias {number}", words)
    slot = builder.vm.memory.slot_of(alias.target)
    if slot is not None:
        builder.edge(memory_alias(number), memory_slot(slot), "link")
