# SPDX-License-Identifier: GPL-2.0-only
"""One entry bit by bit, the guest's and the shadow's beside each other, with what became of each bit and why."""

from __future__ import annotations

from ..mmu.bits import PRESENT, ROOT_32, WRITABLE, guest_format
from ..mmu.machine import Machine
from ..read.entries import guest_target
from ..read.paths import PDPT, ROOTS, Step, guest_path, shadow_path
from . import rows as row
from .draft import Draft
from .scene import Entry, Marks, Scene
from .verdicts import COPIED, REASONS, Field, Pair, pair_of, verdict

LOW = tuple(Field(bit, bit, name) for bit, name in enumerate(("P", "W", "U", "PWT", "PCD", "A", "D", "PS", "G")))
NO_EXECUTION = Field(63, 63, "NX")
MARKS = tuple(Field(bit, bit, "mark") for bit in (9, 10, 11))
FRAME = Field(12, 51, "frame")
SHADOW_FIELDS = (*LOW, *MARKS, FRAME, Field(52, 62, ""), NO_EXECUTION)
FREE = tuple(Field(bit, bit, "free") for bit in (9, 10, 11))
WIDE_FIELDS = (*LOW, *FREE, FRAME, Field(52, 62, "free"), NO_EXECUTION)
NARROW_FIELDS = (*LOW, *FREE, Field(12, 31, "frame"))
MEANINGS = ("present", "writable", "user", "write-through", "no caching", "accessed", "dirty", "large page", "global")


def entry_bits_scene(vm: Machine, gva: int, level: int = 1, marks: Marks | None = None) -> Scene:
    """The two entries of a level on gva's path. For a piece of a large page, the guest's is the one of the large page.

    Both are lists, not tables of the guest and the shadow: those would be drawn above each other, not side by side.
    """
    draft, pair = Draft(vm, marks), pair_of(vm, gva, level)
    guest, shadow = _guest_rows(draft, pair), _shadow_rows(draft, pair)
    draft.box("e:g", "list", 1, 0, *_guest_heading(pair, gva), guest)
    draft.box("e:s", "list", 0, 0, *_shadow_heading(pair, gva), shadow)
    if pair.guest and pair.s:
        for source, target, kind in _edges(pair):
            draft.edge(f"e:g:{source}", f"e:s:{target}", kind)
    notes = [f"bit {entry.index} ({entry.flags}): {entry.says}" for entry in shadow if entry.says in REASONS]
    return draft.scene(f"gva {gva:#x}, level {level}: the guest's entry and the shadow's, bit by bit", notes)


def _guest_heading(pair: Pair, gva: int) -> tuple[str, tuple[str, ...]]:
    vm, step = pair.vm, pair.guest
    if step is None:
        last = guest_path(vm, gva).steps
        if not vm.root_level:
            return "no guest entry", ("the guest isn't paging",)
        if pair.level > vm.root_level:
            return "no guest entry", (f"its tables have {vm.root_level} levels",)
        return "no guest entry", (f"the walk ends at the {row.LEVELS[last[-1].level]}",)
    digits = 2 * guest_format(vm.root_level).size
    where = "CR3's four" if step.table == PDPT else f"gfn {step.number:#x}"
    return f"guest {row.LEVELS[step.level]} entry {step.index}", (f"0x{step.entry:0{digits}x}", f"in {where}")


def _shadow_heading(pair: Pair, gva: int) -> tuple[str, tuple[str, ...]]:
    step = pair.shadow
    if step is None:
        steps = shadow_path(pair.vm, gva).steps
        return "no shadow entry", (f"the shadow ends at level {steps[-1].level}" if steps else "there is no root",)
    title = f"root slot {step.index}" if step.table == ROOTS else f"shadow entry #{step.number}:{step.index}"
    return title, (f"0x{step.entry:016x}", f"of level {pair.level}" if pair.s else "empty: no access came here")


def _value(field: Field, entry: int) -> int:
    return (entry & field.mask) >> field.low


def _guest_rows(draft: Draft, pair: Pair) -> list[Entry]:
    """The guest's bits, with their meaning."""
    vm, step = pair.vm, pair.guest
    if step is None:
        return []
    fields = NARROW_FIELDS if guest_format(vm.root_level).size == 4 else WIDE_FIELDS
    return [_guest_row(draft, pair, step, field) for field in fields]


def _guest_row(draft: Draft, pair: Pair, step: Step, field: Field) -> Entry:
    value, letters = _value(field, step.entry), field.letters
    says = MEANINGS[field.low] if field.low < len(MEANINGS) else "no execution" if field.low == 63 else "for software"
    if field.low == 7 and step.level == 1:
        letters, says = "PAT", "memory type"
    target = f"{value:#x} {says}" if field.high > field.low else f"{value}   {says}"
    if field.low == 12:
        target, says = guest_target(pair.vm, step.level, step.entry | PRESENT), "where it leads"
        if step.level == 2 and "M" in target:
            target = f"{row.large_page(pair.vm.root_level)} at gfn {target.split()[-1]}"
    return Entry(f"e:g:{field.low}", field.name, letters, target, _changed(draft, step, field), says)


def _shadow_rows(draft: Draft, pair: Pair) -> list[Entry]:
    """The shadow's bits, with what became of the guest's."""
    step = pair.shadow
    if step is None:
        return []
    rows = []
    for field in SHADOW_FIELDS:
        value = _value(field, pair.s)
        short, says = verdict(pair, field) if pair.s else ("", "")
        number = f"{value:#x}" if field.high > field.low else str(value)
        target = short if short and field.low == 12 else f"{number:<4}{short}".rstrip()
        rows.append(Entry(f"e:s:{field.low}", field.name, field.letters, target, _changed(draft, step, field), says))
    return rows


def _changed(draft: Draft, step: Step, field: Field) -> str:
    """What this moment did to some bits of an entry."""
    mark, was = draft.mark(step.key), draft.marks.was.get(step.key)
    if mark not in ("changed", "dead") or was is None:
        return ""
    return "changed" if (was ^ step.entry) & field.mask else ""


def _edges(pair: Pair) -> list[tuple[int, int, str]]:
    """From a guest's bit to the shadow's: solid where it was handed on, dashed ("read only") where W was withheld."""
    found = [(12, 12, "link")] if _frame_copied(pair) else []
    if not pair.leaf:
        return found
    for field in (*LOW, NO_EXECUTION):
        bit = 1 << field.low
        if field.low == 63 and pair.vm.root_level == ROOT_32:
            continue
        if verdict(pair, field)[0] == COPIED:
            found.append((field.low, field.low, "link"))
        elif bit == WRITABLE and pair.g & bit and not pair.s & bit:
            found.append((field.low, field.low, "readonly"))
    found += [(low, low + 9, "link") for low in (1, 2) if pair.s >> low + 9 & pair.g >> low & 1]
    return found


def _frame_copied(pair: Pair) -> bool:
    return not verdict(pair, FRAME)[0].endswith("differs")
