# SPDX-License-Identifier: GPL-2.0-only
"""Guest tables and shadow tables side by side, along the paths of some addresses: from a live VM to a scene."""

from __future__ import annotations

from collections.abc import Iterable

from ..mmu.bits import NONPAGING
from ..mmu.machine import Machine
from ..read.paths import guest_path, shadow_path
from . import rows as row
from .draft import Draft
from .scene import Marks, Scene

NOT_PAGING = "the guest doesn't page: it has no tables, and a gva is a gpa"


def hierarchy_scene(vm: Machine, gvas: Iterable[int], marks: Marks | None = None, pages: Iterable[int] = ()) -> Scene:
    """What the paths of ``gvas`` look like now, in the guest's tables and in the shadow, with the frames they reach.

    The entries on those paths, and marked ones, are there; the others are counted. `check_gva` says which addresses
    can be. The first address is the first row of both sides, from top to bottom: who compares the two sides of one
    path then looks for the same place in both, and drawing and text have one order. ``pages``: ids of shadow pages to draw
    although no path may lead there, if they are in use.
    """
    chosen = list(gvas)
    draft = Draft(vm, marks)
    for rank, gva in enumerate(chosen):
        draft.path(rank, guest_path(vm, gva), "guest")
        draft.path(rank, shadow_path(vm, gva), "shadow")
    draft.changed(len(chosen))
    draft.pages(len(chosen), pages)
    draft.correspondences()
    draft.reverse_maps()
    shadows = sum(key.startswith("s:") for key in draft.tables)
    notes = [f"{shadows} of {len(vm.pool.active)} shadow pages in use are drawn"]
    if vm.root_level == NONPAGING:
        notes.append(NOT_PAGING)
    addresses = ", ".join(f"{gva:#x}" for gva in chosen) or "no address"
    return draft.scene(f"{row.MODES[vm.root_level]} guest: the path of {addresses}", notes)
