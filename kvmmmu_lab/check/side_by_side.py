# SPDX-License-Identifier: GPL-2.0-only
"""Draw the expected machine and the submission's machine, as in the lessons, on one stage with the differences marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..draw.page_tables import Limits, shadow_tables_scene
from ..draw.pictures import Picture
from ..draw.reverse_maps import YOUR_PARENTS, YOUR_RMAP, parent_chains_scene, reverse_map_scene
from ..draw.scene import Scene, union
from ..mmu.machine import Machine
from .observe import PARENTS, REVERSE_MAP, SHADOW_TABLES, Difference
from .sandbox.machine_data import machine_data, rebuilt

MOST_ENTRIES = 32
"""The maximum number of entries of a reverse map, or of parents, that are drawn in their tables."""

LIMITS = Limits(None, 8, 6)
"""The limits on how much of the shadow tables is drawn."""


@dataclass(frozen=True)
class SideBySide:
    """Two scenes: the ``expected`` machine, and the machine that the submission produced (``got``)."""

    expected: Scene
    got: Scene

    def pictures(self) -> tuple[Picture, Picture]:
        """The pictures of both scenes, drawn on one stage."""
        stage = union([self.expected, self.got])
        first = Picture(self.expected, stage)
        return first, Picture(self.got, drawing=first.drawing)

    def differing(self) -> tuple[Scene, Scene]:
        """Both scenes with only the tables that differ, so that they are short enough to print as text."""
        keys = {table.key for scene in (self.expected, self.got) for table, _ in scene.marked()}
        return _only(self.expected, keys), _only(self.got, keys)


def side_by_side(expected: Machine, data: Any, difference: Difference) -> SideBySide | None:
    """The scenes that show a difference; None if it cannot be drawn or ``data`` does not describe a machine."""
    try:
        frames = len(expected.memory.pages)
        machines = [rebuilt(each, frames) for each in (machine_data(expected), data)]
        # what one side lacks in a map is still in the shadow tables, and must not look as if it were gone
        also = sorted({spte for vm in machines for spte in _referring(vm, difference)})[:MOST_ENTRIES]
        right, mine = (_scene(vm, difference, also) for vm in machines)
    except Exception:  # the data comes from a submission's process and is untrusted
        return None
    if right is None or mine is None:
        return None
    both = SideBySide(_marked(right, mine), _marked(mine, right))
    return both if any(scene.tables for scene in both.differing()) else None


def _referring(vm: Machine, difference: Difference) -> list[int]:
    """The sptes in the reverse map or among the parents that a picture shows."""
    picture = difference.observation.picture
    if picture == REVERSE_MAP and difference.key() >= 0:  # a negative key is the negated number of a host frame without a gfn
        hfn = vm.memory.frames[difference.key()]
        return [] if hfn is None else list(vm.rmap.sptes(hfn))
    return list(vm.parents.sptes(vm.pool.pages[difference.key()])) if picture == PARENTS else []


def _scene(vm: Machine, difference: Difference, also: Sequence[int]) -> Scene | None:
    picture = difference.observation.picture
    if picture == REVERSE_MAP and difference.key() >= 0:
        return _neutral(reverse_map_scene(vm, difference.key(), limit=10, also=also))
    if picture == PARENTS:
        return _neutral(parent_chains_scene(vm, difference.key(), limit=10, also=also))
    return shadow_tables_scene(vm, (), limits=LIMITS) if picture in (REVERSE_MAP, SHADOW_TABLES) else None


def _neutral(scene: Scene) -> Scene:
    """Use the same titles for both scenes: neither is drawn from the kernel's own structures."""
    words = {YOUR_RMAP: "in the map", YOUR_PARENTS: "the parents"}
    tables = (replace(table, title=words.get(table.title, table.title)) for table in scene.tables)
    return replace(scene, tables=tuple(tables), notes=())


def _marked(scene: Scene, other: Scene) -> Scene:
    """``scene`` with a mark on each row and each table that the other scene lacks."""
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
