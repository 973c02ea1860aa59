# SPDX-License-Identifier: GPL-2.0-only
"""Memory caches: objects allocated before a fault is handled, since allocation isn't allowed under the lock
(mmu.c:161-304, 1361-1388).

The model only counts the objects. Taking one from an empty cache is a BUG.
"""

from __future__ import annotations

from ..errors import HostCrash
from . import events as ev

CAPACITY = 20


class Cache:
    """The number of free objects of one kind. After a top-up there are at least ``least``."""

    __slots__ = ("name", "least", "free")

    def __init__(self, name: str, least: int) -> None:
        self.name, self.least, self.free = name, least, 0

    def take(self) -> None:
        """Take an object (mmu.c:263-272). Raises HostCrash (BUG) if none is left."""
        if not self.free:
            raise HostCrash("BUG", "mmu_memory_cache_alloc", "mmu.c:268", f"the cache of {self.name} is empty")
        self.free -= 1

    def give(self) -> None:
        """Return an object to the cache, or free it if the cache is full (mmu.c:274-280)."""
        if self.free < CAPACITY:
            self.free += 1


class Caches:
    """The two caches of a vcpu: pte chains and rmap descriptors."""

    __slots__ = ("pte_chain", "rmap_desc")

    def __init__(self) -> None:
        self.pte_chain = Cache("pte chains", 4)
        self.rmap_desc = Cache("rmap descriptors", 1)

    def top_up(self, emit: ev.Sink | None) -> None:
        """Fill each cache that holds less than its minimum (mmu.c:205-220, 228-255). Allocation never fails here."""
        for cache in (self.pte_chain, self.rmap_desc):
            if cache.free < cache.least:
                if emit is not None:
                    emit((ev.TOP_UP, cache.name, CAPACITY - cache.free))
                cache.free = CAPACITY

    def empty(self) -> None:
        """Free all objects (mmu.c:222-226, 257-261)."""
        self.pte_chain.free = self.rmap_desc.free = 0
