# SPDX-License-Identifier: GPL-2.0-only
"""Host memory, the guest's slots in it, aliases, dirty logs; the one door for writes (around mmu.c:728-745).

All of host memory is one numpy arena of 64-bit words, read word by word through a memoryview and page by
page through numpy. A *host frame number* (hfn) is a page of the arena; an *hpa* is a byte address in it::

    hfn 0          host page 0: only a stray pointer leads there
    hfn 1          the bad page: zeroes, read where the guest has no memory
    hfn 2          the four PAE root entries
    hfn 256..511   the 256 shadow pages, page id = hfn - 256
    hfn 512...     guest frames, slot after slot; a deleted slot's frames are never used again

A reference to a shadow entry (an *spte*) is the index of its word: ``hpa // 8``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import InputError, SlotError
from . import events as ev
from .bits import ALL_ONES, PAGE_SHIFT, PAGE_SIZE

MEMORY_SLOTS = 4
ALIAS_SLOTS = 4
BAD_PAGE = 1
PAE_ROOT = 2
FIRST_SHADOW = 256
FIRST_GUEST = 512
MAX_FRAMES = 1 << 24
HPA_ERROR = 1 << 63
"""Set in an hpa that stands for "no memory behind this" (HPA_ERR_MASK)."""

EINVAL, EEXIST, ENOENT = 22, 17, 2


@dataclass
class Slot:
    """A memory slot: guest frames ``base .. base + npages - 1`` are host frames from ``hfn`` on."""

    base: int = 0
    npages: int = 0
    hfn: int = 0
    log: bytearray | None = None
    """One byte a page, 1 where written since the log was last read; None without a log."""


@dataclass(frozen=True)
class Alias:
    """Guest frames ``base .. base + npages - 1`` are another name for those from ``target`` on."""

    base: int
    npages: int
    target: int


class Lookup(dict):
    """What ``find`` answers, remembered where it isn't None; cleared when slots or aliases change."""

    def __init__(self, find: Callable[[int], int | None]) -> None:
        self.find = find

    def __missing__(self, key: int) -> int | None:
        found = self.find(key)
        if found is not None:
            self[key] = found
        return found


class Memory:
    """The arena and the maps into it.

    ``words``, ``halves`` and ``bytes`` are views of the same memory, indexed by hpa // 8, // 4 and // 1.
    ``frames[gfn]`` is the hfn or None; ``gfns[hfn]`` the way back; ``slot_bits[gfn]`` one bit for its slot.
    """

    def __init__(self) -> None:
        self.slots = [Slot() for _ in range(MEMORY_SLOTS)]
        self.aliases: list[Alias | None] = [None] * ALIAS_SLOTS
        self.frames = Lookup(self._find_frame)
        self.slot_bits = Lookup(self._find_slot_bit)
        self.gfns = Lookup(self._find_gfn)
        self.emit: ev.Sink | None = None
        self.logging = False
        self._grow(FIRST_GUEST)

    def _grow(self, frames: int) -> None:
        """Make the arena this many frames long, zeroes behind what was there."""
        try:
            pages = np.zeros((frames, 512), dtype="<u8")
        except MemoryError:
            raise InputError("npages", frames - FIRST_GUEST, "guest memory that fits into this machine's") from None
        if hasattr(self, "pages"):
            used = np.flatnonzero(self.pages.any(axis=1))  # untouched frames stay untouched, and cost nothing
            pages[used] = self.pages[used]
        self.pages = pages
        self.bytes = memoryview(pages).cast("B")
        self.words = self.bytes.cast("Q")
        self.halves = self.bytes.cast("I")
        self.listen(self.emit)

    def listen(self, emit: ev.Sink | None) -> None:
        """Make the door: ``put(spte, value, why)`` writes a word, ``put_half(index, value, why)`` 4 bytes of guest memory,
        ``put_word`` 8 of them; ``why`` is the kind of event that a sink gets. Without a sink they only write."""
        self.emit = emit
        words, halves = self.words, self.halves

        def put(at: int, value: int, why: ev.Kind) -> None:
            words[at] = value

        def put_half(at: int, value: int, why: ev.Kind) -> None:
            halves[at] = value

        def tell(at: int, value: int, why: ev.Kind) -> None:
            old, words[at] = words[at], value
            if old != value:
                emit((why, at << 3, old, value))

        def tell_word(at: int, value: int, why: ev.Kind) -> None:
            old, words[at] = words[at], value
            if old != value:
                emit((why, at << 3, 8, old, value))

        def tell_half(at: int, value: int, why: ev.Kind) -> None:
            old, halves[at] = halves[at], value
            if old != value:
                emit((why, at << 2, 4, old, value))

        self.put, self.put_word, self.put_half = (
            (put, put, put_half) if emit is None else (tell, tell_word, tell_half)
        )

    def store(self, hpa: int, data: bytes, why: ev.Kind) -> None:
        """Store 1..8 bytes, little endian, inside a page."""
        end = hpa + len(data)
        if self.emit is not None:
            old = int.from_bytes(self.bytes[hpa:end], "little")
            self.emit((why, hpa, len(data), old, int.from_bytes(data, "little")))
        self.bytes[hpa:end] = data

    def load_page(self, hpa: int, data: bytes) -> None:
        """Fill the page at hpa."""
        self.bytes[hpa : hpa + PAGE_SIZE] = data
        if self.emit is not None:
            self.emit((ev.LOAD, hpa, bytes(data)))

    # Where a guest frame is

    def unalias(self, gfn: int) -> int:
        """gfn, or the frame that an alias makes of it."""
        for alias in self.aliases:
            if alias is not None and alias.base <= gfn < alias.base + alias.npages:
                return alias.target + gfn - alias.base
        return gfn

    def slot_of(self, gfn: int) -> int | None:
        """Number of the slot that holds gfn itself, aliases aside."""
        for number, slot in enumerate(self.slots):
            if slot.base <= gfn < slot.base + slot.npages:
                return number
        return None

    def _find_frame(self, gfn: int) -> int | None:
        gfn = self.unalias(gfn)
        number = self.slot_of(gfn)
        return None if number is None else self.slots[number].hfn + gfn - self.slots[number].base

    def _find_slot_bit(self, gfn: int) -> int | None:
        number = self.slot_of(self.unalias(gfn))
        return None if number is None else 1 << number

    def _find_gfn(self, hfn: int) -> int | None:
        for slot in self.slots:
            if slot.hfn <= hfn < slot.hfn + slot.npages:
                return slot.base + hfn - slot.hfn
        return None

    def gpa_to_hpa(self, gpa: int) -> int:
        """Host address of a guest address; where no memory is, gpa with bit 63 set (mmu.c:735-745)."""
        hfn = self.frames[gpa >> PAGE_SHIFT]
        return gpa | HPA_ERROR if hfn is None else hfn << PAGE_SHIFT | gpa & PAGE_SIZE - 1

    def mark_dirty(self, gfn: int) -> None:
        """Note in the log of gfn's slot, if it has one, that gfn was written. Doesn't look at aliases, as in 2007."""
        if not self.logging:
            return
        number = self.slot_of(gfn)
        if number is not None and (log := self.slots[number].log) is not None:
            if self.emit is not None and not log[gfn - self.slots[number].base]:
                self.emit((ev.MARK_DIRTY, gfn))
            log[gfn - self.slots[number].base] = 1

    # Changing the map

    def check_slot(self, number: int, base: int, npages: int) -> None:
        """Refuse what kvm_vm_ioctl_set_memory_region refuses. Raises SlotError."""
        if not 0 <= number < MEMORY_SLOTS:
            raise SlotError("slot", number, f"0..{MEMORY_SLOTS - 1}", EINVAL)
        for name, value in (("base", base), ("npages", npages)):
            if not 0 <= value <= ALL_ONES >> PAGE_SHIFT:
                raise SlotError(name, value, "a frame number or count of at most 52 bits (pages, not bytes)", EINVAL)
        if base + npages > 1 << 52:
            raise SlotError("base", base, "a slot that ends below 2**52 frames", EINVAL)
        old = self.slots[number]
        if npages and old.npages and npages != old.npages:
            raise SlotError("npages", npages, f"{old.npages}, the slot's size, which can't change (0 deletes it)", EINVAL)
        for other, slot in enumerate(self.slots):
            # A deleted slot still has its base: 2007 refuses a range around it, too.
            if other != number and base + npages > slot.base and base < slot.base + slot.npages:
                raise SlotError("base", base, f"a range apart from slot {other} ({slot.base:#x}+{slot.npages:#x})", EEXIST)
        if npages > old.npages and len(self.pages) + npages > MAX_FRAMES:
            raise SlotError("npages", npages, f"at most {MAX_FRAMES} frames in a VM", EINVAL)

    def set_slot(self, number: int, base: int, npages: int, log: bool) -> None:
        """Install a slot that `check_slot` let pass; new memory is zero, a moved slot keeps its frames."""
        slot = self.slots[number]
        hfn = slot.hfn
        if npages and not slot.npages:
            hfn = len(self.pages)
            self._grow(hfn + npages)
        bitmap = (slot.log or bytearray(npages)) if log and npages else None
        self.slots[number] = Slot(base, npages, hfn, bitmap)
        self.logging = any(slot.log is not None for slot in self.slots)
        self._forget()

    def set_alias(self, number: int, alias: Alias | None) -> None:
        """Install or remove an alias. Raises SlotError; whoever calls zaps the shadow tables."""
        if not 0 <= number < ALIAS_SLOTS:
            raise SlotError("alias", number, f"0..{ALIAS_SLOTS - 1}", EINVAL)
        self.aliases[number] = alias
        self._forget()

    def _forget(self) -> None:
        for lookup in (self.frames, self.slot_bits, self.gfns):
            lookup.clear()

    def log_of(self, number: int) -> bytearray:
        """The dirty log of a slot. Raises SlotError for an unknown slot, or one without a log."""
        if not 0 <= number < MEMORY_SLOTS:
            raise SlotError("slot", number, f"0..{MEMORY_SLOTS - 1}", EINVAL)
        log = self.slots[number].log
        if log is None:
            raise SlotError("slot", number, "a slot with a dirty log (set_slot(..., log=True))", ENOENT)
        return log
