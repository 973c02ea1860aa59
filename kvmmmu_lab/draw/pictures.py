# SPDX-License-Identifier: GPL-2.0-only
"""All kinds of pictures, one function each. What they draw is a VM as it stands, or a moment of a recording.

Looking changes nothing, not even accessed bits, and a dead VM can be looked at, too. All raise `InputError` for
arguments that can't be. ``limit`` says how much is drawn, None how much suits; what is left out is said in the picture's
notes.
"""

from __future__ import annotations

from ..mmu.machine import Machine
from . import frames, parents, pools, slots
from .arguments import check_count, check_gfn, check_gva, check_level, check_page, check_vm
from .bits_table import entry_bits_scene
from .hierarchy import hierarchy_scene
from .picture import Picture
from .trees import Limits, guest_tables_scene, overview_scene, shadow_tables_scene
from .walk_fields import walk_scene

__all__ = [
    "entry_bits",
    "guest_tables",
    "hash_table",
    "hierarchy",
    "memory_slots",
    "parent_chains",
    "pool",
    "reverse_map",
    "shadow_tables",
    "walk",
    "who_maps",
]


def hierarchy(vm: Machine, *gvas: int, depth: int | None = None, limit: int | None = None, fold: int | None = None) -> Picture:
    """The guest's tables and, under them, the shadow tables, along the paths of these addresses.

    Without addresses: both trees from their roots, as far as ``depth`` levels, ``limit`` tables and ``fold`` rows of each
    go. With addresses these add to what is on their paths.
    """
    chosen, limits = _checked(vm, gvas, depth, limit, fold)
    if chosen and limits == Limits():
        return Picture(hierarchy_scene(vm, chosen))
    return Picture(overview_scene(vm, chosen, limits=limits))


def guest_tables(
    vm: Machine, *gvas: int, depth: int | None = None, limit: int | None = None, fold: int | None = None
) -> Picture:
    """The guest's page tables alone: the paths of these addresses, or all from the root down; limits as in `hierarchy`."""
    chosen, limits = _checked(vm, gvas, depth, limit, fold)
    return Picture(guest_tables_scene(vm, chosen, limits=limits))


def shadow_tables(
    vm: Machine, *gvas: int, depth: int | None = None, limit: int | None = None, fold: int | None = None
) -> Picture:
    """The shadow tables alone, with roots, quadrants and parents; addresses and limits as in `hierarchy`."""
    chosen, limits = _checked(vm, gvas, depth, limit, fold)
    return Picture(shadow_tables_scene(vm, chosen, limits=limits))


def walk(vm: Machine, gva: int) -> Picture:
    """The walk of an address through both trees, with the fields of the address that select the entries."""
    check_vm(vm)
    return Picture(walk_scene(vm, check_gva(vm, gva)))


def entry_bits(vm: Machine, gva: int, level: int = 1) -> Picture:
    """The entries of one level on an address's path, guest's and shadow's, bit by bit: what was copied, what wasn't, why."""
    check_vm(vm)
    return Picture(entry_bits_scene(vm, check_gva(vm, gva), check_level(vm, level)))


def reverse_map(vm: Machine, gfn: int, *, limit: int | None = None) -> Picture:
    """A frame, its reverse map descriptor by descriptor, and the entries in it. ``limit``: tables."""
    check_vm(vm)
    return Picture(frames.reverse_map_scene(vm, check_gfn(gfn), limit=check_count("limit", limit)))


def who_maps(vm: Machine, gfn: int, *, limit: int | None = None) -> Picture:
    """All shadow entries that lead to a frame, and the guest entries that they were made from. ``limit``: tables."""
    check_vm(vm)
    return Picture(frames.who_maps_scene(vm, check_gfn(gfn), limit=check_count("limit", limit)))


def parent_chains(vm: Machine, page_id: int, *, limit: int | None = None) -> Picture:
    """A shadow page in use, its parents chain by chain, and the entries above it. ``limit``: tables."""
    check_vm(vm)
    return Picture(parents.parent_chains_scene(vm, check_page(vm, page_id), limit=check_count("limit", limit)))


def hash_table(vm: Machine, gfn: int | None = None, *, limit: int | None = None) -> Picture:
    """The hash of shadow pages; or the bucket of gfn, and what a lookup finds there. ``limit``: pages."""
    check_vm(vm)
    chosen = None if gfn is None else check_gfn(gfn)
    return Picture(pools.hash_table_scene(vm, chosen, limit=check_count("limit", limit)))


def pool(vm: Machine, *, limit: int | None = None) -> Picture:
    """The free list, the active list in the order of eviction, the object caches. ``limit``: rows of a list."""
    check_vm(vm)
    return Picture(pools.pool_scene(vm, limit=check_count("limit", limit)))


def memory_slots(vm: Machine, *, limit: int | None = None) -> Picture:
    """Memory slots, aliases, dirty logs. ``limit``: ranges of dirty pages in each slot."""
    check_vm(vm)
    return Picture(slots.memory_slots_scene(vm, limit=check_count("limit", limit)))


def _checked(
    vm: Machine, gvas: tuple[int, ...], depth: int | None, limit: int | None, fold: int | None
) -> tuple[list[int], Limits]:
    check_vm(vm)
    chosen = [check_gva(vm, gva) for gva in gvas]
    limits = Limits(check_count("depth", depth), check_count("limit", limit), check_count("fold", fold, 0))
    return chosen, limits
