# SPDX-License-Identifier: GPL-2.0-only
"""`nested_grid` and `watch_nested`: the two-dimensional walk of nested paging, as a picture and as a film."""

from __future__ import annotations

from ..draw.nested_grid import FIVE, nested_grid_scene
from ..draw.pictures import Picture
from ..nested.nested_walk import DATA, GUEST_ENTRY, EntryRead, NestedMachine, NestedWalk
from ..player.film import Reel
from ..player.film_steps import BEFORE, FilmStep

GVA = 0x7F12_3456_7000
"""The address of the walk; a guest with fewer levels uses its lower bits."""


def nested_walk(guest_levels: int = 4, host_levels: int = 4, seed: int = 0, *, large: bool = False) -> NestedWalk:
    """Return the walk of an address on a machine with nested paging (see `nested.nested_walk.NestedMachine`).

    ``len(walk.references)`` is the number of entries that the processor reads. Raises InputError for impossible levels.
    """
    machine = NestedMachine(guest_levels, host_levels, seed, large=large)
    gva = GVA & (1 << 12 + 9 * guest_levels) - 1
    machine.map(gva)
    return machine.walk(gva)


def nested_grid(
    guest_levels: int = 4, host_levels: int = 4, seed: int = 0, *, large: bool = False, step: int | None = None
) -> Picture:
    """Draw the walk of an address as a grid: a cell for each entry that the processor reads, up to reference ``step``.

    ``host_levels`` of 0: no host. ``large``: the host maps 2 MB with one entry. Raises InputError for impossible levels.
    """
    walk = nested_walk(guest_levels, host_levels, seed, large=large)
    last = len(walk.references) if step is None else max(0, min(step, len(walk.references)))
    return Picture(nested_grid_scene(walk, last, [] if step is None else [last]))


def watch_nested(guest_levels: int = 4, host_levels: int = 4, seed: int = 0, *, large: bool = False) -> Reel:
    """Return the film of a nested walk: one step for each entry that the processor reads. The arguments are those of
    `nested_grid`.
    """
    walk = nested_walk(guest_levels, host_levels, seed, large=large)
    steps = [FilmStep(BEFORE, nested_grid_scene(walk, 0), 0, operation=BEFORE)]
    for reference in walk.references:
        number = reference.number
        words = f"Reference {number}: {_says(walk, reference)}"
        depth = int(reference.row != GUEST_ENTRY)
        place = "the processor"
        steps.append(
            FilmStep(
                words, nested_grid_scene(walk, number, [number]), number, depth, source=place, operation=f"Reference {number}"
            )
        )
    title = steps[0].scene.title
    return Reel([steps], title, "How many entries does the processor read for one access?")


def _says(walk: NestedWalk, reference: EntryRead) -> str:
    """Return what the processor reads at a reference, and why, as a clause."""
    column, row = reference.column, reference.row
    name, gfn = FIVE.get(column, "data"), walk.gfns[column]
    what = "data" if column == DATA else f"guest's {name}"
    if row == GUEST_ENTRY:
        then = "the data" if column == 1 else f"the guest's {FIVE[column - 1]}"
        where = f"in hfn {reference.hfn:#x}" if walk.host_levels else f"in frame {reference.hfn:#x}"
        text = f"entry {reference.index} of the {what}, {where}. It says where {then} is: in gfn {reference.target:#x}"
        return f"{text}, which has to be translated next." if walk.host_levels else f"{text}."
    first = reference.number == 1 or walk.references[reference.number - 2].column != column
    purpose = f"to find gfn {gfn:#x} of the {what}, the processor begins at the host's root: " if first else ""
    found = f"{purpose}entry {reference.index} of the host's table of level {row}, in hfn {reference.hfn:#x}"
    last = reference.number == len(walk.references) or walk.references[reference.number].row in (GUEST_ENTRY, walk.host_levels)
    if not last:
        return f"{found}."
    return f"{found}. The {what} is in hfn {reference.target:#x}." if row == 1 else f"{found}, which maps 2 MB."
