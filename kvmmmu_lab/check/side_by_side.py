# SPDX-License-Identifier: GPL-2.0-only
"""What should be beside what is, on one stage, with the differences marked: in the drawings of the lessons."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..draw.page_tables import Limits, shadow_tables_scene
from ..draw.pictures import Picture
from ..draw.reverse_maps import YOUR_PARENTS as YOUR_PARENTS
from ..draw.reverse_maps import YOUR_RMAP, parent_chains_scene, reverse_map_scene
from ..draw.scene import Scene, union
from ..mmu.machine import Machine
from ..mmu.memory import FIRST_GUEST
from ..mmu.vm import Vm
from ..recording import snapshot
from ..recording.proxies import SeenMap, SeenParents
from .compare import Difference
from .explain import subject

# FOLDED IN: check.machine: A machine as plain data and back: a worker tells what its machine looks like, so that the
# judge can draw it.


MOST = 4096
"""So many words that aren't 0 are told at the most."""


def picture_data(vm: Machine) -> dict[str, Any]:
    """What is needed to draw ``vm``, as JSON can hold it."""
    taken = snapshot.take(vm)
    words = vm.memory.pages.reshape(-1)
    found = words.nonzero()[0][:MOST]
    held, aliases, frames = taken["slots"]
    return {
        "counters": list(taken["counters"]),
        "registers": list(taken["registers"]),
        "injected": [list(fault) for fault in taken["injected"]],
        "slots": [[[base, n, hfn, log and log.hex()] for base, n, hfn, log in held], list(aliases), frames],
        "pages": [list(part) for part in taken["pages"]],
        "rmaps": [[hfn, _listed(kept)] for hfn, kept in snapshot.look_at_all(vm, "rmaps").items()],
        "parents": [[id, _listed(kept)] for id, kept in snapshot.look_at_all(vm, "parents").items()],
        "words": [found.tolist(), words[found].tolist()],
    }


def _listed(kept: Any) -> list[int]:
    return [int(spte) for spte in kept]


def rebuilt(data: dict[str, Any]) -> Machine:
    """The machine of `picture_data`, to be looked at. Raises whatever data that isn't what it should be leads to."""
    held, aliases, frames = data["slots"]
    if not FIRST_GUEST <= frames <= 1 << 20:
        raise ValueError(frames)
    vm = Vm(())
    pages = np.zeros((frames, 512), "<u8")
    indexes, values = data["words"]
    pages.reshape(-1)[np.array(indexes, np.int64)] = np.array(values, np.uint64)
    vm.memory.use(pages)
    vm.rmap, vm.parents = SeenMap(), SeenParents()  # type: ignore[assignment]  # looked at, and never changed
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


LIMITS = Limits(None, 8, 6)
"""How much of the shadow tables is drawn."""


@dataclass(frozen=True)
class Beside:
    """Two scenes of the same things: ``expected``, and what the submission made of them (``got``)."""

    expected: Scene
    got: Scene

    def pictures(self) -> tuple[Picture, Picture]:
        """Both, drawn on one stage."""
        stage = union([self.expected, self.got])
        first = Picture(self.expected, stage)
        return first, Picture(self.got, drawing=first.drawing)

    def differing(self) -> tuple[Scene, Scene]:
        """Only the tables in which something differs: what a text has room for."""
        keys = {table.key for scene in (self.expected, self.got) for table, _ in scene.marked()}
        return _only(self.expected, keys), _only(self.got, keys)


def drawn(expected: Machine, data: Any, difference: Difference) -> Beside | None:
    """Both machines, drawn as suits the difference; None where a worker's data can't be drawn."""
    try:
        right, mine = rebuilt(picture_data(expected)), rebuilt(data)
        scenes = [_scene(vm, difference) for vm in (right, mine)]
    except Exception:  # the data come from a submission's process: they may be anything
        return None
    if scenes[0] is None or scenes[1] is None:
        return None
    both = Beside(_marked(scenes[0], scenes[1]), _marked(scenes[1], scenes[0]))
    return both if any(scene.tables for scene in both.differing()) else None


def _scene(vm: Machine, difference: Difference) -> Scene | None:
    about = subject(difference) if difference.look in ("rmap", "parents") else None
    if difference.look == "rmap" and about is not None and about >= 0:
        return _neutral(reverse_map_scene(vm, about, limit=10))
    if difference.look == "parents" and about is not None:
        return _neutral(parent_chains_scene(vm, about, limit=10))
    if difference.look in ("sptes", "pages", "rmap", "order", "flushes"):
        return shadow_tables_scene(vm, (), limits=LIMITS)
    return None


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


def _neutral(scene: Scene) -> Scene:
    """The same words in both pictures: neither is drawn from the kernel's own structure."""
    neutral = {YOUR_RMAP: "in the map", YOUR_PARENTS: "the parents"}
    tables = (replace(table, title=neutral.get(table.title, table.title)) for table in scene.tables)
    return replace(scene, tables=tuple(tables), notes=())


def _says(entry: Any) -> tuple[str, str]:
    return entry.flags, entry.target

