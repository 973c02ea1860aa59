# SPDX-License-Identifier: GPL-2.0-only
"""What a step is about, as marks in a picture: the entry that it read or changed, the page, the reverse map."""

from __future__ import annotations

from collections.abc import Iterable

from ..draw.scene import Marks
from ..mmu import events as ev
from ..mmu.machine import Machine
from ..read.paths import frame_key, key_of

READS = (ev.HARDWARE_READ, ev.GUEST_READ, ev.SHADOW_READ)


def marks_of(vm: Machine, events: Iterable[tuple]) -> Marks:
    """The marks of some events; ``vm`` is the machine after the last of them."""
    marks = Marks()
    for event in events:
        _note(vm, event, marks)
    return marks


def _note(vm: Machine, event: tuple, marks: Marks) -> None:
    kind = event[0]
    of = dict(zip(kind.operands, event[1:], strict=True))
    if kind is ev.GUEST_READ:
        marks.note(f"g:{of['gfn']:x}:{of['index']}", "read")
    elif kind in READS:
        marks.note(key_of(vm, of["hpa"] if "hpa" in of else of["spte"] << 3), "read")
    elif kind.change:
        key = key_of(vm, of["hpa"])
        marks.note(key, "dead" if not of["new"] and key.startswith("s:") else "changed")
        marks.was[key] = of["old"]
    elif kind is ev.ALLOC_PAGE:
        marks.note(f"s:{of['page']}", "new")
    elif kind in (ev.ZAP_PAGE, ev.FREE_PAGE):
        marks.note(f"s:{of['page']}", "dead")
    elif kind in (ev.RMAP_ADD, ev.RMAP_REMOVE):
        marks.note(f"{frame_key(vm, of['hfn'])}:rmap", "changed")
