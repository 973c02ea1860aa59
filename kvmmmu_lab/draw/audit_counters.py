# SPDX-License-Identifier: GPL-2.0-only
"""What the first audit compares: the references in all reverse maps, and the writable entries in all shadow pages."""

from __future__ import annotations

from ..inspect.entries import flags, withheld
from ..inspect.keys import Key, frame_key, spte_key
from ..mmu.bits import BASE_MASK, PAGE_SHIFT, PRESENT, WRITABLE
from ..mmu.machine import Machine
from ..mmu.shadow import entries_with, entry_name
from .scene import Entry, Marks, Scene
from .scene_builder import LIMIT, SceneBuilder, more, plural

MAPS, ENTRIES, VERDICT = Key("l:maps"), Key("l:entries"), Key("l:verdict")
"""The boxes: the reverse maps, the entries, and the comparison between them."""


def audit_counters_scene(vm: Machine, marks: Marks | None = None, limit: int | None = None) -> Scene:
    """Return the reverse maps with their references, the writable entries, and the two counts. ``limit``: most rows of a box.

    An entry without a counterpart says so: it is writable but in no map, or in a map but not writable.
    """
    builder, most = SceneBuilder(vm, marks), LIMIT if limit is None else limit
    maps = {hfn: list(vm.rmap.sptes(hfn)) for hfn in sorted(vm.rmap.frames())}
    maps = {hfn: sptes for hfn, sptes in maps.items() if sptes}
    counted = sum(len(sptes) for hfn, sptes in maps.items() if vm.memory.gfns[hfn] is not None)
    writable = _writable_entries(vm)
    named = dict.fromkeys(spte for sptes in maps.values() for spte in sptes)
    entries = _wrong_first(sorted({*writable, *named}), writable, named)
    shown = dict.fromkeys(entries[:most])
    rows = [_map_row(builder, hfn, sptes) for hfn, sptes in list(maps.items())[:most]]
    rest = f"{len(maps) - most} more maps" if len(maps) > most else ""
    builder.box(MAPS, "rmap", 2, 0, plural(counted, "reference"), ("in the reverse maps of frames",), rows, rest)
    rows = [_entry_row(builder, spte, spte in writable, spte in named) for spte in sorted(shown)]
    rest = f"{len(entries) - most} more entries" if len(entries) > most else ""
    title = plural(len(writable), "writable entry", "writable entries")
    builder.box(ENTRIES, "shadow", 0, 0, title, ("in shadow pages of level 1",), rows, rest)
    same = counted == len(writable)
    says = "first audit: silent" if same else "first audit: a complaint"
    builder.box(VERDICT, "list", 1, 0, f"{counted} {'=' if same else '≠'} {len(writable)}", (says,))
    for hfn, sptes in list(maps.items())[:most]:
        for spte in sptes:
            if spte in shown:
                builder.edge(MAPS.entry(hfn), ENTRIES.entry(spte), "rmap")
    longest = max(len(maps), len(entries))
    notes = [f"limit={more(most, longest)} draws more"] if longest > most else []
    notes.append("only the two numbers are compared, not which entries they count")
    return builder.scene(f"{plural(counted, 'reference')} in reverse maps, {title} in shadow pages", notes)


def _writable_entries(vm: Machine) -> dict[int, None]:
    """Return the present and writable entries of all shadow pages of level 1."""
    words, both = vm.memory.words, PRESENT | WRITABLE
    leaves = (spte for page in vm.pool.active if page.level == 1 for spte in entries_with(vm, page))
    return {spte: None for spte in leaves if words[spte] & both == both}


def _wrong_first(entries: list[int], writable: dict[int, None], named: dict[int, None]) -> list[int]:
    """Return the entries, first those without a counterpart: a picture that has no room for all draws these."""
    return sorted(entries, key=lambda spte: (spte in writable) == (spte in named))


def _frame(vm: Machine, hfn: int) -> str:
    """Return the name of a frame, in at most 12 characters if it is in no slot."""
    gfn = vm.memory.gfns[hfn]
    return f"hfn {hfn:#x}" if gfn is None else f"gfn {gfn:#x}"


def _map_row(builder: SceneBuilder, hfn: int, sptes: list[int]) -> Entry:
    key = frame_key(builder.vm, hfn)
    count = plural(len(sptes), "entry", "entries")
    lost = builder.vm.memory.gfns[hfn] is None
    target = f"{count}: not counted" if lost else count
    says = "the frame is no longer in a slot" if lost else f"writable through {', '.join(map(entry_name, sptes))}"
    return Entry(MAPS.entry(hfn), _frame(builder.vm, hfn), "", target, builder.mark(key.entry("rmap")), says)


def _entry_row(builder: SceneBuilder, spte: int, writable: bool, named: bool) -> Entry:
    vm, key = builder.vm, spte_key(spte)
    entry = vm.memory.words[spte]
    leads = _frame(vm, (entry & BASE_MASK) >> PAGE_SHIFT) if entry & PRESENT else "empty"
    says = "in a map, and not writable" if not writable else "in its map" if named else "writable, and in no map"
    alone = "" if writable and named else ", in no map" if writable else ", not writable"
    letters = flags(entry, withheld(1, entry))[:3]
    mark = builder.mark(key)
    return Entry(ENTRIES.entry(spte), entry_name(spte), letters, f"{leads}{alone}", "changed" if mark == "dead" else mark, says)
