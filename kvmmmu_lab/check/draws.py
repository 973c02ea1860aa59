# SPDX-License-Identifier: GPL-2.0-only
"""What should be beside what is, on one stage, with the differences marked: in the drawings of the lessons."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ..draw.frames import YOURS, reverse_map_scene
from ..draw.parents import YOURS as YOUR_PARENTS
from ..draw.parents import parent_chains_scene
from ..draw.picture import Picture
from ..draw.scene import Scene, union
from ..draw.trees import Limits, shadow_tables_scene
from ..mmu.machine import Machine
from .compare import Difference
from .machine import picture_data, rebuilt
from .sentences import subject

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
    neutral = {YOURS: "in the map", YOUR_PARENTS: "the parents"}
    tables = (replace(table, title=neutral.get(table.title, table.title)) for table in scene.tables)
    return replace(scene, tables=tuple(tables), notes=())


def _says(entry: Any) -> tuple[str, str]:
    return entry.flags, entry.target
