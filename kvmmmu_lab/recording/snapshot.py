# SPDX-License-Identifier: GPL-2.0-only
"""Save a machine's state, except its memory, as plain values, and restore it in another machine.

Memory is large and changes word by word, so a recording stores its changes. The rest is small, and is saved as a whole from
time to time. Unlike `inspect.dump`, which is for comparing machines, a snapshot is exact and can be restored: it includes
host addresses and the order of the engine's lists.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from ..mmu.machine import Machine
from ..mmu.memory import Alias, Slot
from ..mmu.parents import ParentChains
from ..mmu.rmap import ReverseMap
from .proxies import SeenMap, SeenParents, look_at_all

Plain = Any
"""A value that consists of numbers, None, bytes, tuples, lists and dicts."""


def counters(vm: Machine) -> tuple[int, ...]:
    """The flood counter, the number of free objects in each cache, and the statistics."""
    last, caches = (vm.last_pt_write_gfn, vm.last_pt_write_count), vm.caches
    return (*last, caches.pte_chain.free, caches.rmap_desc.free, *vars(vm.stats).values())


def put_counters(vm: Machine, values: tuple[int, ...]) -> None:
    """Restore what `counters` returned."""
    vm.last_pt_write_gfn, vm.last_pt_write_count, vm.caches.pte_chain.free, vm.caches.rmap_desc.free = values[:4]
    vars(vm.stats).update(zip(vars(vm.stats), values[4:], strict=True))


def registers(vm: Machine) -> tuple[Any, ...]:
    """The control registers, the root and the levels."""
    cpu = vm.cpu
    loaded = (cpu.cr0, cpu.cr3, cpu.cr4, cpu.efer, tuple(cpu.pdptrs))
    return (*loaded, vm.root, vm.root_level, vm.shadow_root_level)


def put_registers(vm: Machine, values: tuple[Any, ...]) -> None:
    """Restore what `registers` returned."""
    cpu = vm.cpu
    cpu.cr0, cpu.cr3, cpu.cr4, cpu.efer, pdptrs = values[:5]
    vm.root, vm.root_level, vm.shadow_root_level = values[5:]
    cpu.pdptrs = list(pdptrs)


def injected(vm: Machine) -> tuple[Any, ...]:
    """The page faults that the guest got in the current operation."""
    return tuple(vm.injected)


def put_injected(vm: Machine, values: tuple[Any, ...]) -> None:
    """Restore what `injected` returned."""
    vm.injected = [(gva, error) for gva, error in values]


def slots(vm: Machine) -> Plain:
    """The memory slots with their dirty logs, the aliases, and the number of host frames."""
    memory = vm.memory
    held = [(slot.base, slot.npages, slot.hfn, slot.log if slot.log is None else bytes(slot.log)) for slot in memory.slots]
    aliases = [alias and (alias.base, alias.npages, alias.target) for alias in memory.aliases]
    return held, aliases, len(memory.pages)


def put_slots(vm: Machine, values: Plain) -> None:
    """Restore what `slots` returned. The machine must already have that many host frames."""
    memory, (held, aliases, _) = vm.memory, values
    memory.slots = [Slot(base, npages, hfn, None if log is None else bytearray(log)) for base, npages, hfn, log in held]
    memory.aliases = [alias and Alias(*alias) for alias in aliases]
    memory.logging = any(slot.log is not None for slot in memory.slots)
    for lookup in (memory.frames, memory.slot_bits, memory.gfns):
        lookup.clear()


def pages(vm: Machine) -> Plain:
    """The pool: four numbers per header, free pages, the active list from its tail, the hash bucket by bucket.

    The lists are flat: one tuple per page would sometimes start the garbage collector while a replica goes to a step.
    """
    pool = vm.pool
    headers = [number for page in pool.pages for number in (page.gfn, page.role, page.slot_bitmap, page.root_count)]
    hashed = [page.id for bucket in pool.buckets for page in bucket]
    return headers, [page.id for page in pool.free], [page.id for page in pool.active], hashed


def put_pages(vm: Machine, values: Plain) -> None:
    """Restore what `pages` returned."""
    pool, (headers, free, active, hashed) = vm.pool, values
    for page, at in zip(pool.pages, range(0, len(headers), 4), strict=True):
        page.gfn, page.role, page.slot_bitmap, page.root_count = headers[at : at + 4]
    pool.free = [pool.pages[id] for id in free]
    pool.active = OrderedDict.fromkeys(pool.pages[id] for id in active)
    for bucket in pool.buckets:
        bucket.clear()
    for id in hashed:
        pool.bucket(pool.pages[id].gfn).append(pool.pages[id])


def rmaps(vm: Machine) -> dict[int, Any]:
    """Reverse maps by host frame, in the form of the kernel's own part; for a replaced part, lists of sptes."""
    return vm.rmap.heads if type(vm.rmap) is ReverseMap else look_at_all(vm, "rmaps")


def put_rmaps(vm: Machine, values: dict[int, Any]) -> None:
    """Restore what `rmaps` returned."""
    held = {hfn: _copied(head) for hfn, head in values.items()}
    if isinstance(vm.rmap, SeenMap):
        vm.rmap.lists = held
    else:
        assert isinstance(vm.rmap, ReverseMap)
        vm.rmap.heads = held


def parents(vm: Machine) -> dict[int, Any]:
    """Parents by shadow page, in the form of the kernel's own part; for a replaced part, lists of sptes."""
    if type(vm.parents) is ParentChains:
        return {page.id: page.parents for page in vm.pool.pages if page.parents is not None}
    return look_at_all(vm, "parents")


def put_parents(vm: Machine, values: dict[int, Any]) -> None:
    """Restore what `parents` returned."""
    if isinstance(vm.parents, SeenParents):
        vm.parents.lists = {id: list(found) for id, found in values.items()}
        return
    for page in vm.pool.pages:
        page.parents = _copied(values.get(page.id))


def _copied(chains: Any) -> Any:
    if not isinstance(chains, list):
        return chains
    return [list(chain) if isinstance(chain, list) else chain for chain in chains]


PARTS = {
    "counters": (counters, put_counters),
    "registers": (registers, put_registers),
    "injected": (injected, put_injected),
    "slots": (slots, put_slots),
    "pages": (pages, put_pages),
    "rmaps": (rmaps, put_rmaps),
    "parents": (parents, put_parents),
}
"""All parts of the state, each with the function that saves it and the one that restores it."""


def take(vm: Machine) -> dict[str, Plain]:
    """Save everything except memory. The result may share lists with ``vm``: copy it before the machine runs again."""
    return {name: get(vm) for name, (get, _) in PARTS.items()}


def put(vm: Machine, taken: dict[str, Plain]) -> None:
    """Restore in ``vm`` what `take` returned. ``vm`` gets copies."""
    for name, values in taken.items():
        PARTS[name][1](vm, values)
