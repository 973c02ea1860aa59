# SPDX-License-Identifier: GPL-2.0-only
"""`Story`: what an event means for the things that it concerns beside the one that it changes.

An event that makes a shadow entry names only that entry. But a guest entry was read to make it, and that is part of the guest
entry's story, too. `Story` therefore remembers the last walk of the guest's tables, and the last store that the host checks.
"""

from __future__ import annotations

from ..inspect.keys import SHADOW, Key, frame_key, guest_table, key_of, shadow_page, spte_key
from ..inspect.names import Names, key_name
from ..inspect.paths import made_from
from ..mmu import events as ev
from ..mmu.bits import PAGE_SHIFT, PAGE_SIZE, guest_format
from ..mmu.machine import Machine

READ = "it is read by the host"
READ_BY_PROCESSOR = "it is read by the processor"

Parts = dict[Key, str]
"""What an event means for each thing that it concerns, as a clause: "it is read by the host", "#248:457 is made from it"."""


class Story:
    """Collects the parts of events, which it gets in their order."""

    def __init__(self) -> None:
        self.walk: dict[int, Key] = {}
        """The guest entry that the last walk of the guest's tables read at each level."""
        self.store: list[Key] = []
        """The guest entries that the store that the host checks will change."""

    def parts(self, vm: Machine, event: tuple) -> Parts:
        """Return what an event means; ``vm`` is the machine after it."""
        kind, *operands = event
        if kind is ev.GUEST_READ:
            gfn, index, level, _ = operands
            key = guest_table(gfn).entry(index)
            self.walk = {above: seen for above, seen in self.walk.items() if above > level} | {level: key}
            return {key: READ}
        if kind is ev.PRE_WRITE:
            self.store = written_entries(vm, *operands)
            return {key: "it is about to change: the host looks for what was made from it" for key in self.store}
        if kind is ev.HARDWARE_READ:
            return {key_of(vm, operands[0]): READ_BY_PROCESSOR}
        if kind is ev.SHADOW_READ:
            return {spte_key(operands[0]): READ}
        if kind in (ev.RMAP_ADD, ev.RMAP_REMOVE):
            return _reverse_mapping(vm, kind, *operands)
        if kind in (ev.ALLOC_PAGE, ev.ZAP_PAGE, ev.FREE_PAGE):
            return _page(vm, kind, operands[0])
        return self._change(vm, kind, *operands) if kind.change else {}

    def _change(self, vm: Machine, kind: ev.Kind, hpa: int, size: int, old: int, new: int) -> Parts:
        """Return what a change means. A change that concerns nothing else has no part: the step's words say it all."""
        key = key_of(vm, hpa)
        name = key_name(key)
        if kind is ev.ZAP_SPTE:
            source = source_of(vm, hpa)
            if source is None or source in self.store:
                parts = {key: "it is zapped: its guest entry is about to change"}
            else:
                parts = {key: "it is zapped, although its guest entry doesn't change"}
            return parts | ({} if source is None else {source: f"{name}, which was made from it, is zapped"})
        if kind is ev.MAKE_SPTE and self.walk:
            leaf = self.walk[min(self.walk)]
            return {key: f"it is made from {key_name(leaf)}", leaf: f"{name} is made from it"}
        if kind is ev.LINK_TABLE and key.kind == SHADOW:
            target = Names(vm).target(new)
            parts = {key: f"it now leads to {target}"}
            if (source := self.walk.get(vm.pool.pages[key.page].level)) is not None:
                parts[source] = f"{name}, its counterpart in the shadow, now leads to {target}"
            return parts
        return {}


def source_of(vm: Machine, hpa: int) -> Key | None:
    """Return the guest entry from which the entry at ``hpa`` of a shadow page was made; None if that isn't known."""
    key = key_of(vm, hpa)
    made = made_from(vm, vm.pool.pages[key.page], int(key.row)) if key.kind == SHADOW else None
    return None if made is None else guest_table(made[0]).entry(made[1])


def written_entries(vm: Machine, gpa: int, size: int) -> list[Key]:
    """Return the guest entries that contain these bytes."""
    width, table = guest_format(vm.root_level).size, guest_table(gpa >> PAGE_SHIFT)
    offset = gpa % PAGE_SIZE
    return [table.entry(index) for index in range(offset // width, (offset + max(size, 1) - 1) // width + 1)]


def _reverse_mapping(vm: Machine, kind: ev.Kind, spte: int, hfn: int, form: str) -> Parts:
    entry, frame = Names(vm).spte(spte), frame_key(vm, hfn)
    does, is_ = ("records", "is recorded in") if kind is ev.RMAP_ADD else ("drops", "is dropped from")
    rmap = frame.entry("rmap")
    return {rmap: f"it {does} {entry}", frame: f"its reverse map {does} {entry}", spte_key(spte): f"it {is_} {key_name(rmap)}"}


def _page(vm: Machine, kind: ev.Kind, number: int) -> Parts:
    page = vm.pool.pages[number]
    does = {ev.ALLOC_PAGE: "is taken from the pool", ev.ZAP_PAGE: "is zapped", ev.FREE_PAGE: "returns to the pool"}[kind]
    parts = {shadow_page(number): f"it {does}"}
    if not page.metaphysical:
        role = "which will shadow it" if kind is ev.ALLOC_PAGE else "which shadows it"
        parts[guest_table(page.gfn)] = f"shadow page #{number}, {role}, {does}"
    return parts
