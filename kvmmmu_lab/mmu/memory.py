# SPDX-License-Identifier: GPL-2.0-only
"""Host memory, which contains the guest's memory, and the functions that change it (around mmu.c:728-745).

Host memory is one numpy array of 64-bit words, the *arena*, read word by word through a memoryview and page by page through
numpy. A *host frame number* (hfn) is a page of the arena; an *hpa* is a byte address in it::

    hfn 0          host page 0: only a stray pointer leads there
    hfn 1          the bad page, all zeroes: it is read where the guest has no memory
    hfn 2          the four PAE root entries
    hfn 256..511   the 256 shadow pages, page id = hfn - 256
    hfn 512...     guest frames, slot after slot; a deleted slot's frames are never used again

A reference to a shadow entry (an *spte*) is the index of its word: ``hpa // 8``.

Up to four *slots* define which guest frames exist and where they are; an *alias* gives some of them a second gfn.
A slot's *dirty log* marks the pages that were written.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import EINVAL, InputError, SlotError
from . import events as ev
from .bits import PAGE_SHIFT, PAGE_SIZE

BAD_PAGE = 1
PAE_ROOT = 2
FIRST_SHADOW = 256
FIRST_GUEST = 512
MAX_FRAMES = 1 << 22
ROOM = 2304
"""The number of frames in the arena of a new machine; most of them are not in use yet."""

MEMORY_SLOTS = 4
ALIAS_SLOTS = 4
HPA_ERROR = 1 << 63
"""Set in an hpa that means "no memory here" (HPA_ERR_MASK)."""

EEXIST, ENOENT = 17, 2


class Memory:
    """``pages`` is a numpy array of shape (frames, 512); ``words``, ``halves`` and ``bytes`` are views of the same
    memory, indexed by hpa // 8, // 4 and // 1. Only `put`, `put_half` and `store` change entries. Their argument ``why`` is the
    kind of the event that a sink gets; its operands are the hpa, the size in bytes, the old value and the new value.

    ``frames[gfn]`` is the hfn or None; ``gfns[hfn]`` is the inverse; ``slot_bits[gfn]`` is ``1 << number`` for the number of
    gfn's slot. ``changes`` counts the changes to slots and aliases.
    """

    def __init__(self) -> None:
        self.emit: ev.Sink | None = None
        self.use(_zeroes(ROOM), FIRST_GUEST)
        self.slots = [Slot() for _ in range(MEMORY_SLOTS)]
        self.aliases: list[Alias | None] = [None] * ALIAS_SLOTS
        self.frames = Lookup(self._find_frame)
        self.slot_bits = Lookup(self._find_slot_bit)
        self.gfns = Lookup(self._find_gfn)
        self.logging = False
        self.changes = 0

    # The arena

    def use(self, room: np.ndarray, npages: int | None = None) -> None:
        """Use the first ``npages`` rows of an array as memory, or all rows if it is None; the other rows are room for
        growth."""
        self.room, self.pages = room, room[:npages]
        pages = self.pages
        self.bytes = memoryview(pages).cast("B")  # type: ignore[arg-type]  # numpy arrays are buffers
        self.words = self.bytes.cast("Q")
        self.halves = self.bytes.cast("I")
        self.listen(self.emit)

    def reserve(self, npages: int) -> None:
        """Make room for ``npages`` more frames. Raises InputError if the computer doesn't have that much memory."""
        needed = len(self.pages) + npages
        if needed <= len(self.room):
            return
        try:
            room = _zeroes(needed)
        except MemoryError:
            raise InputError("npages", npages, "guest memory that fits into the computer's memory") from None
        used = np.flatnonzero(self.pages.any(axis=1))  # frames of zeroes aren't copied
        room[used] = self.pages[used]
        self.use(room, len(self.pages))

    def listen(self, emit: ev.Sink | None) -> None:
        """Define ``put(spte, value, why)``, which writes a word, and ``put_half(index, value, why)``, which writes 4 bytes.

        Each has two versions, one with and one without a sink, so that no write has to test whether there is a sink.
        """
        self.emit = emit
        words, halves = self.words, self.halves

        def put(at: int, value: int, why: ev.Kind) -> None:
            words[at] = value

        def put_half(at: int, value: int, why: ev.Kind) -> None:
            halves[at] = value

        self.put, self.put_half = put, put_half
        if emit is None:
            return
        report = emit

        def put_and_report(at: int, value: int, why: ev.Kind) -> None:
            old, words[at] = words[at], value
            if old != value:
                report((why, at << 3, 8, old, value))

        def put_half_and_report(at: int, value: int, why: ev.Kind) -> None:
            old, halves[at] = halves[at], value
            if old != value:
                report((why, at << 2, 4, old, value))

        put_and_report.__qualname__, put_half_and_report.__qualname__ = "put", "put_half"  # for Python's messages
        self.put, self.put_half = put_and_report, put_half_and_report

    def load(self, hpa: int, size: int) -> int:
        """Read ``size`` bytes, little endian."""
        return int.from_bytes(self.bytes[hpa : hpa + size], "little")

    def store(self, hpa: int, data: bytes, why: ev.Kind) -> None:
        """Store the 1 to 8 bytes of ``data`` at hpa; all must be in the same page."""
        end = hpa + len(data)
        if self.emit is None:
            self.bytes[hpa:end] = data
            return
        old, self.bytes[hpa:end] = self.load(hpa, len(data)), data
        self.emit((why, hpa, len(data), old, int.from_bytes(data, "little")))

    def load_page(self, hpa: int, data: bytes) -> None:
        """Fill the page at hpa."""
        old = bytes(self.bytes[hpa : hpa + PAGE_SIZE]) if self.emit is not None else b""
        self.bytes[hpa : hpa + PAGE_SIZE] = data
        if self.emit is not None:
            self.emit((ev.LOAD, hpa, old, bytes(data)))

    # Finding a guest frame

    def unalias(self, gfn: int) -> int:
        """The gfn to which an alias maps gfn, or gfn itself if there is no alias."""
        for alias in self.aliases:
            if alias is not None and alias.base <= gfn < alias.base + alias.npages:
                return alias.target + gfn - alias.base
        return gfn

    def slot_of(self, gfn: int) -> int | None:
        """The number of the slot that contains gfn itself, ignoring aliases."""
        for number, slot in enumerate(self.slots):
            if slot.base <= gfn < slot.base + slot.npages:
                return number
        return None

    def _find_frame(self, gfn: int) -> int | None:
        target = self.unalias(gfn)
        number = self.slot_of(target)
        if number is None:
            return None
        self.slot_bits[gfn] = 1 << number  # the caller usually needs it next
        return self.slots[number].hfn + target - self.slots[number].base

    def _find_slot_bit(self, gfn: int) -> int | None:
        number = self.slot_of(self.unalias(gfn))
        return None if number is None else 1 << number

    def _find_gfn(self, hfn: int) -> int | None:
        for slot in self.slots:
            if slot.hfn <= hfn < slot.hfn + slot.npages:
                return slot.base + hfn - slot.hfn
        return None

    def gpa_to_hpa(self, gpa: int) -> int:
        """The host address of gpa; if there is no memory there, gpa with bit 63 set (mmu.c:735-745)."""
        hfn = self.frames[gpa >> PAGE_SHIFT]
        return gpa | HPA_ERROR if hfn is None else (hfn << PAGE_SHIFT) | (gpa & (PAGE_SIZE - 1))

    def mark_dirty(self, gfn: int) -> None:
        """Mark gfn as written in the log of its slot, if it has one. Aliases are ignored (2007)."""
        if not self.logging:
            return
        number = self.slot_of(gfn)
        if number is not None and (log := self.slots[number].log) is not None:
            page = gfn - self.slots[number].base
            marked, log[page] = log[page], 1
            if self.emit is not None and not marked:
                self.emit((ev.MARK_DIRTY, gfn))

    # Changing slots and aliases

    def check_slot(self, number: int, base: int, npages: int) -> None:
        """Check a slot as kvm_vm_ioctl_set_memory_region does. Raises SlotError for a changed size or an overlap.

        Also makes room for the frames. Raises InputError if the computer doesn't have that much memory.
        """
        old = self.slots[number]
        if npages and old.npages and npages != old.npages:
            raise SlotError("npages", npages, f"{old.npages}, the slot's size, which can't change (0 deletes it)", EINVAL)
        for other, slot in enumerate(self.slots):
            # A deleted slot keeps its base. A new slot that begins below this base and ends above it is refused (2007).
            if other != number and base + npages > slot.base and base < slot.base + slot.npages:
                raise SlotError("base", base, f"a range outside slot {other} ({slot.base:#x}+{slot.npages:#x})", EEXIST)
        if npages > old.npages and len(self.pages) + npages > MAX_FRAMES:
            raise SlotError("npages", npages, f"at most {MAX_FRAMES - len(self.pages):#x}, all that this VM can add", EINVAL)
        self.reserve(npages if npages and not old.npages else 0)

    def set_slot(self, number: int, base: int, npages: int, log: bool) -> None:
        """Install a slot that `check_slot` accepted; new memory is zero, a moved slot keeps its frames."""
        slot = self.slots[number]
        hfn = slot.hfn
        if npages and not slot.npages:
            hfn = len(self.pages)
            self.use(self.room, hfn + npages)
        bitmap = (slot.log or bytearray(npages)) if log and npages else None
        self.slots[number] = Slot(base, npages, hfn, bitmap)
        self.logging = any(slot.log is not None for slot in self.slots)
        self._clear_lookups()

    def set_alias(self, number: int, alias: Alias | None) -> None:
        """Install an alias, or remove it if ``alias`` is None."""
        self.aliases[number] = alias
        self._clear_lookups()

    def _clear_lookups(self) -> None:
        self.changes += 1
        for lookup in (self.frames, self.slot_bits, self.gfns):
            lookup.clear()

    def log_of(self, number: int) -> bytearray:
        """The dirty log of a slot. Raises SlotError if it has none."""
        log = self.slots[number].log
        if log is None:
            raise SlotError("slot", number, "a slot with a dirty log (set_slot(..., log=True))", ENOENT)
        return log


@dataclass
class Slot:
    """A memory slot: guest frames ``base .. base + npages - 1`` are the host frames that start at ``hfn``."""

    base: int = 0
    npages: int = 0
    hfn: int = 0
    log: bytearray | None = None
    """One byte for each page, 1 if it was written since the log was last read; None without a log."""


@dataclass(frozen=True)
class Alias:
    """Guest frames ``base .. base + npages - 1`` are other names for the frames that start at ``target``."""

    base: int
    npages: int
    target: int


class Lookup(dict):
    """A cache of the results of ``find`` by its argument; the result None isn't cached. The cache is cleared when slots or
    aliases change."""

    def __init__(self, find: Callable[[int], int | None]) -> None:
        self.find = find

    def __missing__(self, key: int) -> int | None:
        found = self.find(key)
        if found is not None:
            self[key] = found
        return found


def _zeroes(npages: int) -> np.ndarray:
    """Allocate frames of zeroes. On POSIX they come directly from the operating system, already cleared. numpy would reuse the
    memory of an earlier machine, and clearing it takes 2 ms even if the machine is small. Raises MemoryError."""
    if not hasattr(mmap, "MAP_PRIVATE"):
        return np.zeros((npages, 512), dtype="<u8")
    try:
        fresh = mmap.mmap(-1, npages * PAGE_SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MemoryError from error
    return np.frombuffer(fresh, dtype="<u8").reshape(npages, 512)
