# SPDX-License-Identifier: GPL-2.0-only
"""The walk of one address through both trees, with the address split into the fields that select the entries."""

from __future__ import annotations

from ..mmu.bits import NONPAGING, PAGE_SHIFT, PAGE_SIZE, PRESENT, ROOT_64, ROOT_PAE, guest_format
from ..mmu.machine import Machine
from ..read.paths import Path, guest_path, maps_large, shadow_path
from . import rows as row
from .draft import Draft
from .hierarchy import NOT_PAGING
from .scene import Entry, Marks, Scene

SPARE = "a read by the kernel"
GUEST_FAULT = f"{SPARE} gives the guest #PF, error code 0x0 (not present)"
SHADOW_FAULT = f"{SPARE} exits to KVM, error code 0x0 (not present)"


def walk_scene(vm: Machine, gva: int, marks: Marks | None = None) -> Scene:
    """Both paths of gva, the fields of the address at the left, and where each walk ends, for a read by the kernel."""
    draft, guest, shadow = Draft(vm, marks), guest_path(vm, gva), shadow_path(vm, gva)
    draft.path(0, guest, "guest")
    draft.path(0, shadow, "shadow")
    column = max(vm.root_level, vm.shadow_root_level) + 1
    results = _guest_result(vm, gva, guest), _shadow_result(vm, gva, shadow)
    for rank, (side, path, result) in enumerate((("guest", guest, results[0]), ("shadow", shadow, results[1]))):
        key = f"w:{side}"
        fields = guest_fields(vm, guest) if side == "guest" else shadow_fields(vm)
        rows = [_field(draft, key, gva, *field) for field in fields]
        draft.box(key, "list", column, rank, "fields of the gva", (f"{side}: {result[0]}",), rows)
        _selections(draft, key, gva, path)
    draft.correspondences()
    draft.reverse_maps()
    sides = f"gva {gva:#x}, by the guest's tables", "by the shadow"
    notes = [f"{side}: {said}" for side, (_, said) in zip(sides, results, strict=True)]
    return draft.scene(f"{row.MODES[vm.root_level]} guest: the walk of {gva:#x}", notes)


def guest_fields(vm: Machine, path: Path) -> list[tuple[int, int, str, int]]:
    """The fields of an address as the guest's tables use them: lowest bit, bits, name, level (0: inside the page)."""
    if vm.root_level == NONPAGING:
        return [(12, 20, "gfn", -1), (0, 12, "offset", 0)]
    bits, last = guest_format(vm.root_level).index_bits, path.steps[-1] if path.steps else None
    large = last is not None and last.entry & PRESENT and maps_large(vm, last.level, last.entry)
    names = {**row.LEVELS, 3: "PDPT"}
    levels = range(vm.root_level, 1 if large else 0, -1)
    widths = {level: 2 if level == 3 and vm.root_level == ROOT_PAE else bits for level in levels}
    fields = [(PAGE_SHIFT + bits * (level - 1), widths[level], names[level], level) for level in levels]
    return [*fields, (0, PAGE_SHIFT + bits * bool(large), "offset", 0)]


def shadow_fields(vm: Machine) -> list[tuple[int, int, str, int]]:
    """The same as the shadow uses them: always 9 bits a level, of three levels two at the top."""
    top = [(39, 9, "L4", 4), (30, 9, "L3", 3)] if vm.root_level == ROOT_64 else [(30, 2, "slot", 3)]
    return [*top, (21, 9, "L2", 2), (12, 9, "L1", 1), (0, 12, "offset", 0)]


def _field(draft: Draft, table: str, gva: int, low: int, bits: int, name: str, level: int) -> Entry:
    key, value = f"{table}:{63 - low}", gva >> low & (1 << bits) - 1
    text = f"{value:#x}" if level < 1 else str(value)
    says = f"bits {low} to {low + bits - 1}: {value:#x}"
    return Entry(key, f"{low + bits - 1}-{low}", name, text, draft.mark(key), says)


def _selections(draft: Draft, table: str, gva: int, path: Path) -> None:
    """From each field to the entry that it selects."""
    vm = draft.vm
    guest = table == "w:guest"
    fields = guest_fields(vm, path) if guest else shadow_fields(vm)
    low = {level: low for low, _, _, level in fields}
    for step in path.steps:
        if step.level in low:
            draft.edge(f"{table}:{63 - low[step.level]}", step.key, "link")


def _guest_result(vm: Machine, gva: int, path: Path) -> tuple[str, str]:
    """Where the guest's walk ends: a few words, and a sentence."""
    if path.gfn is None:
        last = path.steps[-1]
        where = f"entry {last.index} of the {row.LEVELS[last.level]}"
        return f"ends in the {row.LEVELS[last.level]}: #PF", f"{where} isn't present; {GUEST_FAULT}"
    gpa = path.gfn << PAGE_SHIFT | gva & PAGE_SIZE - 1
    device = "; no memory is there, the access is emulated" if path.hfn is None else ""
    said = f"{NOT_PAGING}" if vm.root_level == NONPAGING else f"gpa {gpa:#x}"
    return f"gpa {gpa:#x}", said + device


def _shadow_result(vm: Machine, gva: int, path: Path) -> tuple[str, str]:
    """Where the processor's walk ends."""
    if not path.steps:
        return "no root", "there is no root to begin with"
    if path.hfn is None:
        last = path.steps[-1]
        where = f"root slot {last.index}" if last.table == "r" else f"entry #{last.number}:{last.index}"
        what = "says that no memory is there" if last.level == 1 and last.entry else "isn't present"
        return f"ends at L{last.level}: exit", f"{where} {what}; {SHADOW_FAULT}"
    hpa = path.hfn << PAGE_SHIFT | gva & PAGE_SIZE - 1
    gfn = vm.memory.gfns[path.hfn]
    whose = "no guest frame any more" if gfn is None else f"gpa {gfn << PAGE_SHIFT | gva & PAGE_SIZE - 1:#x}"
    return f"hpa {hpa:#x}", f"hpa {hpa:#x}, that is {whose}; {SPARE} goes through without KVM"
