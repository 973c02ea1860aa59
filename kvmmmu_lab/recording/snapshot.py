# SPDX-License-Identifier: GPL-2.0-only
"""Save a machine's state, except its memory, as plain values, and restore it in another machine.

Memory is large and changes word by word, so a recording stores its changes. The rest is small, and is saved as a whole from
time to time. Unlike `inspect.dump`, which is for comparing machines, a snapshot is exact and can be restored: it includes
host addresses and the order of the engine's lists.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import fields
from typing import Any

from ..mmu.bits import ALL_ONES, PAGE_SIZE
from ..mmu.machine import Machine, Stats
from ..mmu.memory import ALIAS_SLOTS, MEMORY_SLOTS, Alias, Slot
from ..mmu.parents import ParentChains
from ..mmu.pool import NUM_PAGES
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


# Values from a file


def is_value(name: str, value: Any, nframes: int) -> bool:
    """Whether a value has the form in which a part of the state is saved, for a machine with ``nframes`` host frames.

    What isn't a list, a tuple or a dict where there should be one may raise TypeError, ValueError or AttributeError instead.
    """
    match name:
        case "counters":
            return _numbers(value, 4 + len(fields(Stats)))
        case "registers":
            *registers, pdptrs, root, root_level, shadow_level = value
            levels = _numbers([root_level, shadow_level], 2, 5)
            return _numbers(registers, 4) and _numbers(pdptrs, 4) and _numbers([root], 1) and levels
        case "injected":
            return all(_numbers(fault, 2) for fault in value)
        case "slots":
            held, aliases, count = value
            fine = len(held) == MEMORY_SLOTS and len(aliases) == ALIAS_SLOTS and _numbers([count], 1, nframes + 1)
            return fine and all(_is_slot(slot, nframes) for slot in held) and all(x is None or _numbers(x, 3) for x in aliases)
        case "pages":
            headers, *lists = value
            return _numbers(headers, 4 * NUM_PAGES) and len(lists) == 3 and all(_numbers(ids, None, NUM_PAGES) for ids in lists)
        case "rmaps":
            return _numbers(list(value), None, nframes) and all(_is_chains(chains, nframes) for chains in value.values())
        case "parents":
            return _numbers(list(value), None, NUM_PAGES) and all(_is_chains(chains, nframes) for chains in value.values())
    return False


def _numbers(value: Any, count: int | None, below: int = ALL_ONES + 1) -> bool:
    fine = isinstance(value, (list, tuple)) and (count is None or len(value) == count)
    return fine and all(type(number) is int and 0 <= number < below for number in value)


def _is_slot(slot: Any, nframes: int) -> bool:
    base, npages, hfn, log = slot
    fine = _numbers([base, npages, hfn], 3) and hfn + npages <= nframes
    return fine and (log is None or (isinstance(log, bytes) and len(log) == npages))


def _is_chains(chains: Any, nframes: int) -> bool:
    """Whether a value is an spte, or a list of sptes and of lists of them."""
    words = nframes * PAGE_SIZE // 8
    if not isinstance(chains, (list, tuple)):
        return _numbers([chains], 1, words)
    return all(_numbers(one if isinstance(one, (list, tuple)) else [one], None, words) for one in chains)


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
