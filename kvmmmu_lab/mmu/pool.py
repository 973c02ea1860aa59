# SPDX-License-Identifier: GPL-2.0-only
"""The pool of 256 shadow pages: their headers and roles, the free list, the active list and the hash (mmu.c:442-489, 567-619).

A shadow page is identified by its gfn and its *role*, one word::

    bits 0-3    guest levels (0 without paging, 2, 3, 4)
    bits 4-7    level of this shadow page
    bits 8-9    quadrant: the part of a guest table with 4-byte entries that this page shadows
    bit  16     metaphysical: shadows no guest table (large page, or no paging)
    bits 17-18  for a large page: the writable and user bits of the guest's entry
"""

from __future__ import annotations

from collections import OrderedDict

from ..errors import HostCrash
from . import events as ev
from .bits import PAGE_SHIFT, ROOT_32
from .memory import FIRST_SHADOW

NUM_PAGES = 256
MIN_FREE = 5
REFILL = 25
METAPHYSICAL = 1 << 16


def make_role(root_level: int, level: int, gva: int, metaphysical: bool, access: int) -> int:
    """The role word of a shadow page (mmu.c:602-611). ``access``: bit 0 writable, bit 1 user.

    >>> hex(make_role(2, 1, 0x600000, False, 0)), hex(make_role(4, 1, 0x600000, True, 3))
    ('0x112', '0x70014')
    """
    role = root_level | (level << 4) | (metaphysical << 16) | (access << 17)
    if root_level <= ROOT_32:
        role |= ((gva >> (PAGE_SHIFT + 9 * level)) & ((1 << level) - 1)) << 8
    return role


class ShadowPage:
    """The header of a shadow page. ``parents`` is None, one spte, or a list of chains (see `parents`)."""

    __slots__ = ("id", "hpa", "gfn", "role", "slot_bitmap", "root_count", "parents")

    def __init__(self, id: int) -> None:
        self.id = id
        self.hpa = (FIRST_SHADOW + id) << PAGE_SHIFT
        self.gfn = self.role = self.slot_bitmap = self.root_count = 0
        self.parents: int | list[list[int]] | None = None

    @property
    def brief(self) -> int:
        """The page's id, which represents it in events."""
        return self.id

    @property
    def glevels(self) -> int:
        """The number of levels of the guest's tables when this page was made."""
        return self.role & 15

    @property
    def level(self) -> int:
        """The level of this page in the shadow tables; level 1 maps 4 KiB pages."""
        return (self.role >> 4) & 15

    @property
    def quadrant(self) -> int:
        """The part of a guest table with 4-byte entries that this page shadows: 0 or 1 for a page table, 0 to 3 for a
        directory."""
        return (self.role >> 8) & 3

    @property
    def metaphysical(self) -> bool:
        """Whether the page shadows no guest table."""
        return bool(self.role & METAPHYSICAL)

    @property
    def access(self) -> int:
        """The access rights in the guest's entry for a large page: bit 0 writable, bit 1 user."""
        return (self.role >> 17) & 3

    @property
    def spte(self) -> int:
        """The spte of the page's entry 0."""
        return self.hpa >> 3

    def __repr__(self) -> str:
        words = [f"shadow L{self.level} #{self.id} of gfn {self.gfn:#x}", f"{self.glevels} guest levels"]
        if self.glevels <= ROOT_32:
            words.append(f"quadrant {self.quadrant}")
        words += ["metaphysical"] * self.metaphysical + [f"root x{self.root_count}"] * bool(self.root_count)
        return f"<{', '.join(words)}>"


class Pool:
    """All shadow pages. ``free`` is a stack whose last item is taken next; ``active`` is ordered from tail to head;
    ``buckets[gfn % 256]`` is a bucket of the hash, newest page first."""

    def __init__(self) -> None:
        self.pages = [ShadowPage(id) for id in range(NUM_PAGES)]
        self.free = list(self.pages)
        self.active: OrderedDict[ShadowPage, None] = OrderedDict()
        self.buckets: list[list[ShadowPage]] = [[] for _ in range(NUM_PAGES)]
        self.emit: ev.Sink | None = None

    def bucket(self, gfn: int) -> list[ShadowPage]:
        """The hash bucket of gfn (mmu.c:468-471)."""
        return self.buckets[gfn % NUM_PAGES]

    def lookup(self, gfn: int) -> ShadowPage | None:
        """The newest shadow page of the guest table in gfn, if any (mmu.c:567-585)."""
        for page in self.buckets[gfn & 255]:
            if page.gfn == gfn and not page.role & METAPHYSICAL:
                return page
        return None

    def take(self, gfn: int, role: int) -> ShadowPage | None:
        """Move a free page to the head of the active list and into the hash. Returns None if no page is free (mmu.c:473-489).

        Its entries are 0, except for what `fault.fix_write` may leave behind (2007).
        """
        if not self.free:
            return None
        page = self.free.pop()
        self.active[page] = None
        page.slot_bitmap, page.parents, page.gfn, page.role = 0, None, gfn, role
        self.bucket(gfn).insert(0, page)
        if self.emit is not None:
            self.emit((ev.ALLOC_PAGE, page.id, gfn, role))
        return page

    def give(self, page: ShadowPage) -> None:
        """Move an active page out of the hash and onto the free list (mmu.c:458-466, 692)."""
        self.bucket(page.gfn).remove(page)
        del self.active[page]
        self.free.append(page)
        if self.emit is not None:
            self.emit((ev.FREE_PAGE, page.id))

    def rotate(self, page: ShadowPage) -> None:
        """Move a page that is a live root, and so can't be freed, to the head of the active list (mmu.c:695)."""
        self.active.move_to_end(page)
        if self.emit is not None:
            self.emit((ev.ROTATE_PAGE, page.id))

    def header(self, hpa: int, function: str, source: str) -> ShadowPage:
        """The header of the shadow page that contains hpa (page_header).

        Raises HostCrash (oops) for an hpa outside all shadow pages, where the kernel follows a wild pointer.
        """
        id = (hpa >> PAGE_SHIFT) - FIRST_SHADOW
        if not 0 <= id < NUM_PAGES:
            raise HostCrash("oops", function, source, f"host address {hpa:#x} is in no shadow page")
        return self.pages[id]
