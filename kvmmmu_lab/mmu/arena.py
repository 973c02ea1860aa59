# SPDX-License-Identifier: GPL-2.0-only
"""Host memory, and the one door through which it changes.

All of it is one numpy arena of 64-bit words, read word by word through a memoryview and page by page through
numpy. A *host frame number* (hfn) is a page of the arena; an *hpa* is a byte address in it::

    hfn 0          host page 0: only a stray pointer leads there
    hfn 1          the bad page: zeroes, read where the guest has no memory
    hfn 2          the four PAE root entries
    hfn 256..511   the 256 shadow pages, page id = hfn - 256
    hfn 512...     guest frames, slot after slot; a deleted slot's frames are never used again

A reference to a shadow entry (an *spte*) is the index of its word: ``hpa // 8``.
"""

from __future__ import annotations

import mmap

import numpy as np

from ..errors import InputError
from . import events as ev
from .bits import PAGE_SIZE

BAD_PAGE = 1
PAE_ROOT = 2
FIRST_SHADOW = 256
FIRST_GUEST = 512
MAX_FRAMES = 1 << 22
ROOM = 2048
"""Frames of a new machine, most of them not in use yet."""


class Arena:
    """``pages`` is a numpy array of shape (frames, 512); ``words``, ``halves`` and ``bytes`` are views of the same
    memory, indexed by hpa // 8, // 4 and // 1. What changes an entry goes through `put`, `put_half` or `store`, with
    the kind of event (``why``) that a sink gets: operands hpa, size in bytes, old and new value."""

    def __init__(self) -> None:
        self.emit: ev.Sink | None = None
        self._use(_zeroes(ROOM), FIRST_GUEST)

    def grow(self, npages: int) -> int:
        """Add so many frames of zeroes; the first one's hfn. Raises InputError when the machine hasn't that much
        memory."""
        first = len(self.pages)
        room, needed = self.room, first + npages
        if needed > len(room):
            try:
                room = _zeroes(needed)
            except MemoryError:
                raise InputError("npages", npages, "guest memory that fits into this machine's") from None
            used = np.flatnonzero(self.pages.any(axis=1))  # untouched frames stay untouched, and cost nothing
            room[used] = self.pages[used]
        self._use(room, needed)
        return first

    def _use(self, room: np.ndarray, npages: int | None = None) -> None:
        """``npages`` of this are the memory, all unless said; the rest is room to grow in."""
        self.room, self.pages = room, room[:npages]
        pages = self.pages
        self.bytes = memoryview(pages).cast("B")  # type: ignore[arg-type]  # numpy arrays are buffers
        self.words = self.bytes.cast("Q")
        self.halves = self.bytes.cast("I")
        self.listen(self.emit)

    def listen(self, emit: ev.Sink | None) -> None:
        """Make the door: ``put(spte, value, why)`` writes a word, ``put_half(index, value, why)`` 4 bytes.

        Two doors of each, so that writing costs no test for a sink.
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
        tell = emit

        def put_and_tell(at: int, value: int, why: ev.Kind) -> None:
            old, words[at] = words[at], value
            if old != value:
                tell((why, at << 3, 8, old, value))

        def put_half_and_tell(at: int, value: int, why: ev.Kind) -> None:
            old, halves[at] = halves[at], value
            if old != value:
                tell((why, at << 2, 4, old, value))

        put_and_tell.__qualname__, put_half_and_tell.__qualname__ = "put", "put_half"  # as a wrong call is told
        self.put, self.put_half = put_and_tell, put_half_and_tell

    def store(self, hpa: int, data: bytes, why: ev.Kind) -> None:
        """Store 1..8 bytes, little endian, inside a page."""
        end = hpa + len(data)
        old = int.from_bytes(self.bytes[hpa:end], "little")
        self.bytes[hpa:end] = data
        if self.emit is not None:
            self.emit((why, hpa, len(data), old, int.from_bytes(data, "little")))

    def load_page(self, hpa: int, data: bytes) -> None:
        """Fill the page at hpa."""
        old = bytes(self.bytes[hpa : hpa + PAGE_SIZE]) if self.emit is not None else b""
        self.bytes[hpa : hpa + PAGE_SIZE] = data
        if self.emit is not None:
            self.emit((ev.LOAD, hpa, old, bytes(data)))


def _zeroes(npages: int) -> np.ndarray:
    """Fresh frames. On POSIX straight from the system: memory that numpy gets back from an earlier machine is cleared by
    hand, 2 ms for a small one. Raises MemoryError."""
    if not hasattr(mmap, "MAP_PRIVATE"):
        return np.zeros((npages, 512), dtype="<u8")
    try:
        fresh = mmap.mmap(-1, npages * PAGE_SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MemoryError from error
    return np.frombuffer(fresh, dtype="<u8").reshape(npages, 512)
