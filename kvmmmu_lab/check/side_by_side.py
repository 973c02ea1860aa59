# SPDX-License-Identifier: GPL-2.0-only
"""Expected beside got: both machines in the drawings of the lessons, on one stage, with the differences marked.

A worker sends its machine as plain data (`picture_data`), from which the judge rebuilds one for drawing (`rebuilt`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..draw.pictures import Picture
from ..draw.scene import Scene, union
from ..mmu.machine import Machine
from ..mmu.memory import FIRST_GUEST
from ..mmu.vm import Vm
from ..recording import snapshot
from ..recording.proxies import SeenMap, SeenParents
from .observe import Difference


@dataclass(frozen=True)
class SideBySide:
    """Two scenes of the same things: ``expected``, and what the submission made of them (``got``)."""

    expected: Scene
    got: Scene

    def pictures(self) -> tuple[Picture, Picture]:
        """Both, drawn on one stage."""
        stage = union([self.expected, self.got])
        first = Picture(self.expected, stage)
        return first, Picture(self.got, drawing=first.drawing)

    def differing(self) -> tuple[Scene, Scene]:
        """Both, with only the tables that differ, so that they fit into text."""
        keys = {table.key for scene in (self.expected, self.got) for table, _ in scene.marked()}
        return _only(self.expected, keys), _only(self.got, keys)


def side_by_side(expected: Machine, data: Any, difference: Difference) -> SideBySide | None:
    """Draw both machines to show the difference; None if it has no drawing or ``data`` is not a machine's."""
    try:
        right, mine = (difference.scene(vm) for vm in (rebuilt(picture_data(expected)), rebuilt(data)))
    except Exception:  # untrusted data from a submission's process
        return None
    if right is None or mine is None:
        return None
    both = SideBySide(_marked(right, mine), _marked(mine, right))
    return both if any(scene.tables for scene in both.differing()) else None


def _marked(scene: Scene, other: Scene) -> Scene:
    """``scene``, with a mark on each row that the other doesn't have, and on each table."""
    theirs = {table.key: {_says(entry) for entry in table.entries} for table in other.tables}
    tables = []
    for table in scene.tables:
        known = theirs.get(table.key)
        rows = tuple(
            replace(entry, mark="changed") if known is not None and _says(entry) not in known else replace(entry, mark="")
            for entry in table.entries
        )
        tables.append(replace(table, entries=rows, mark="new" if known is None else ""))
    return replace(scene, tables=tuple(tables))


def _only(scene: Scene, keys: set[str]) -> Scene:
    return replace(scene, title="", tables=tuple(table for table in scene.tables if table.key in keys), notes=())


def _says(entry: Any) -> tuple[str, str]:
    return entry.flags, entry.target


MOST_WORDS = 4096
"""The maximum number of nonzero words sent."""


def picture_data(vm: Machine) -> dict[str, Any]:
    """Return what is needed to draw ``vm``, as JSON data."""
    taken = snapshot.take(vm)
    words = vm.memory.pages.reshape(-1)
    found = words.nonzero()[0][:MOST_WORDS]
    held, aliases, frames = taken["slots"]
    return {
        "counters": list(taken["counters"]),
        "registers": list(taken["registers"]),
        "injected": [list(fault) for fault in taken["injected"]],
        "slots": [[[base, n, hfn, log and log.hex()] for base, n, hfn, log in held], list(aliases), frames],
        "pages": [list(part) for part in taken["pages"]],
        "rmaps": [[hfn, [*map(int, kept)]] for hfn, kept in snapshot.look_at_all(vm, "rmaps").items()],
        "parents": [[id, [*map(int, kept)]] for id, kept in snapshot.look_at_all(vm, "parents").items()],
        "words": [found.tolist(), words[found].tolist()],
    }


def rebuilt(data: dict[str, Any]) -> Machine:
    """Rebuild a machine for drawing from `picture_data`. Invalid data may raise any exception."""
    held, aliases, frames = data["slots"]
    if not FIRST_GUEST <= frames <= 1 << 20:
        raise ValueError(frames)
    vm = Vm(())
    pages = np.zeros((frames, 512), "<u8")
    indexes, values = data["words"]
    pages.reshape(-1)[np.array(indexes, np.int64)] = np.array(values, np.uint64)
    vm.memory.use(pages)
    vm.rmap, vm.parents = SeenMap(), SeenParents()  # type: ignore[assignment]  # read only
    slots = [(base, n, hfn, None if log is None else bytes.fromhex(log)) for base, n, hfn, log in held]
    snapshot.put(
        vm,
        {
            **{name: data[name] for name in ("counters", "registers", "injected", "pages")},
            "slots": (slots, [tuple(alias) if alias else None for alias in aliases], frames),
            "rmaps": {int(hfn): kept for hfn, kept in data["rmaps"]},
            "parents": {int(id): kept for id, kept in data["parents"]},
        },
    )
    return vm
