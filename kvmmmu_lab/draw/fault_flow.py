# SPDX-License-Identifier: GPL-2.0-only
"""A page fault as a flow chart, below the two trees on which it works (paging_tmpl.h:392-455).

The chart has five boxes, from left to right: the fault, the walk of the guest's tables, the filling of the shadow, the check
of the write, and the result. In a film, the part of the chart that runs has the mark of what changed, and so have the
entries that it changes in the trees above.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from ..inspect.keys import FLOW, SHADOW, Key
from ..mmu import events as ev
from ..mmu.bits import NONPAGING
from ..mmu.machine import Machine
from .arguments import possible_gva
from .page_tables import hierarchy_scene
from .scene import Edge, Entry, Marks, Scene, Table

FAULT, WALK, FETCH, FIX, RESULT = (Key(f"{FLOW}:{name}") for name in ("fault", "walk", "fetch", "fix", "result"))
"""The keys of the boxes, from left to right."""

BOXES: dict[Key, tuple[str, str, tuple[tuple[str, str], ...]]] = {
    FAULT: (
        "fault",
        "page_fault()",
        (
            ("shadow walk", "the processor walks the shadow tables, and an entry is missing or refuses the access"),
            ("host takes over", "the host handles the fault"),
        ),
    ),
    WALK: (
        "walk the guest",
        "walk_addr()",
        (
            ("read entries", "the host walks the guest's tables"),
            ("refused", "the guest's tables refuse the access"),
            ("allowed", "the guest's tables allow the access"),
        ),
    ),
    FETCH: (
        "fill the shadow",
        "fetch()",
        (
            ("take a page", "a shadow page is taken for a table that has none"),
            ("link it", "the entry above gets a link to it"),
            ("make the spte", "the last entry is made from the guest's"),
        ),
    ),
    FIX: (
        "check the access",
        "",
        (
            ("read: done", "for a read there is nothing more to do, except where CR0.WP is clear"),
            ("write: W and D", "the spte becomes writable, and the guest's entry dirty"),
            ("no change", "the marks of the spte don't allow the write, and nothing changes"),
            ("table, device", "the frame is a shadowed page table, or there is no memory"),
        ),
    ),
    RESULT: (
        "result",
        "",
        (
            ("guest gets #PF", "a true fault: the guest's own tables refuse the access"),
            ("run it again", "a hidden fault: the guest never learns of it"),
            ("emulate it", "the host carries out the instruction"),
        ),
    ),
}
"""The boxes: title, kernel function, and the rows, each with what it says in words."""

ARROWS = (
    (FAULT.entry(1), WALK),
    (WALK.entry(1), RESULT.entry(0)),
    (WALK.entry(2), FETCH),
    (FETCH.entry(2), FIX),
    *((FIX.entry(row), RESULT.entry(1)) for row in (0, 1, 2)),
    (FIX.entry(3), RESULT.entry(2)),
)
"""The arrows of the chart."""

PARTS: dict[str, Key] = {
    ev.ACCESS.name: FAULT.entry(0),
    ev.HARDWARE_READ.name: FAULT.entry(0),
    ev.EVICT.name: FAULT.entry(1),
    ev.PAGE_FAULT.name: FAULT.entry(1),
    ev.WALK.name: WALK.entry(0),
    ev.INJECT.name: RESULT.entry(0),
    ev.GET_PAGE.name: FETCH.entry(0),
    ev.LINK_TABLE.name: FETCH.entry(1),
    ev.MARK_LARGE.name: FETCH.entry(1),
    ev.SET_SPTE.name: FETCH.entry(2),
    ev.FETCH.name: FETCH.entry(0),
    ev.FIX_READ.name: FIX.entry(0),
    ev.FIX_WRITE.name: FIX.entry(1),
    ev.EMULATED_WRITE.name: RESULT.entry(2),
}
"""The part of the chart that runs, by the kind of the event or of the operation around it."""

ENDS = {
    (ev.FIX_WRITE.name, "False"): FIX.entry(2),
    (ev.FIX_WRITE.name, "True"): FIX.entry(3),
    (ev.PAGE_FAULT.name, "0"): RESULT.entry(1),
    (ev.ACCESS.name, "mmio"): RESULT.entry(2),
    (ev.ACCESS.name, "emul"): RESULT.entry(2),
}
"""The part of the chart that is reached at the end of an operation, by its kind and its result."""

UNPAGED = "a guest without paging has no tables to walk: its faults take another way"


def running_part(running: tuple[str, ...]) -> Key | None:
    """Return the row of the chart that runs, or None. For ``running``, see `Marks`."""
    if running[:1] == (ev.END.name,):
        _, result, kind, *_ = running
        return ENDS.get((kind, result))
    return next((PARTS[name] for name in running if name in PARTS), None)


def chart(running: tuple[str, ...] = ()) -> Scene:
    """Return the flow chart alone. ``running``: see `Marks`."""
    lit, tables = running_part(running), list[Table]()
    for column, (key, (title, function, rows)) in zip(range(len(BOXES) - 1, -1, -1), BOXES.items(), strict=True):
        entries = [
            Entry(key.entry(at), "", text, "", "changed" if key.entry(at) == lit else "", says)
            for at, (text, says) in enumerate(rows)
        ]
        words, mark = (function,) if function else (), "changed" if lit is not None and lit.table == key else ""
        tables.append(Table(key, "list", column, len(tables), title, words, tuple(entries), mark=mark))
    arrows = tuple(Edge(*ends, "link") for ends in ARROWS)
    path = tuple(entry.key for table in tables for entry in table.entries)
    return Scene("a page fault, as a flow chart", tuple(tables), arrows, path=path)


@dataclass
class FaultFlow:
    """Draws the trees along the paths of ``gvas`` with the flow chart below them; a film calls it at each step.

    A page that was drawn stays in the picture while it is in use: a new page has no link yet.
    """

    gvas: Iterable[int]
    pages: dict[int, None] = field(default_factory=dict)

    def __call__(self, vm: Machine, marks: Marks) -> Scene:
        """Return the scene of one step."""
        trees = hierarchy_scene(vm, [gva for gva in self.gvas if possible_gva(vm, gva)], marks, self.pages)
        keys = [Key(table.key) for table in trees.of("shadow")]
        self.pages |= {key.page: None for key in keys if key.kind == SHADOW}
        below = chart(marks.running)
        notes = (UNPAGED,) if vm.root_level == NONPAGING else ()
        tables, edges, path = (*trees.tables, *below.tables), (*trees.edges, *below.edges), (*trees.path, *below.path)
        return replace(trees, tables=tables, edges=edges, path=path, notes=notes)
