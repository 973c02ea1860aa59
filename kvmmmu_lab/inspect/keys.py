# SPDX-License-Identifier: GPL-2.0-only
"""Keys identify the elements of a drawing, in scenes, in the JSON of a film and in JavaScript.

=============  ========================================  ===============  ==================================
``s:248``      shadow page 248                           ``s:248:457``    its entry 457
``g:61c9``     the guest table in gfn 0x61c9             ``g:61c9:5``     its entry 5
``g:pdpt``     the PDPTEs that a PAE guest's CPU holds   ``g:pdpt:3``     one of these four entries
``r``          the root slots above a 3-level shadow     ``r:2``          one of these four slots
``f:29a5``     the frame gfn 0x29a5                      ``f:29a5:rmap``  its reverse map
``h:2b45``     host frame 0x2b45, which has no gfn       ``h:2b45:rmap``  its reverse map
``d:29a5:0``   a frame's first rmap descriptor           ``d:29a5:0:3``   a position in it
``c:248:0``    a shadow page's first parent chain        ``c:248:0:4``    a position in it
``m:0``        memory slot 0 (``m:a0``: alias 0)         ``m:0:12``       its dirty pages from page 12 on
``b``          the hash of shadow pages                  ``b:201``        one of its buckets
``p:600``      the large page at gfn 0x600               ``p:600:5``      its piece gfn 0x605
``q:walk``     a box of a flow chart                     ``q:walk:1``     one of its rows
=============  ========================================  ===============  ==================================

gfns and hfns are hexadecimal, all other numbers decimal. A picture may add boxes with other keys, such as ``l:free``.
"""

from __future__ import annotations

from ..mmu.bits import PAGE_SHIFT, PAGE_SIZE, guest_format
from ..mmu.machine import Machine
from ..mmu.memory import FIRST_SHADOW, PAE_ROOT
from ..mmu.pool import NUM_PAGES
from ..mmu.shadow import page_of

SHADOW, GUEST, ROOT, FRAME, HOST_FRAME, DESCRIPTOR, CHAIN, MEMORY, BUCKET, PIECES, FLOW = "sgrfhdcmbpq"
"""The kinds of keys (see `Key.kind`)."""

PARTS = {ROOT: 1, BUCKET: 1, DESCRIPTOR: 3, CHAIN: 3}
"""The number of parts, separated by colons, in the key of a table. Kinds that aren't listed have two."""


class Key(str):
    """The key of a table or of one of its rows. It is a `str`, so JSON can hold it unchanged."""

    __slots__ = ()

    def entry(self, row: int | str) -> Key:
        """The key of the row of this table that has this index or name."""
        return Key(f"{self}:{row}")

    @property
    def kind(self) -> str:
        """The kind of element that the key names: `SHADOW`, `GUEST`, ..."""
        return self.partition(":")[0]

    @property
    def table(self) -> Key:
        """The key of the row's table; for a table, the key itself."""
        parts = self.split(":")
        return Key(":".join(parts[: PARTS.get(parts[0], 2)]))

    @property
    def row(self) -> str:
        """The index or name of the row in its table, as text; empty for a table."""
        parts = self.split(":")
        return ":".join(parts[PARTS.get(parts[0], 2) :])

    @property
    def page(self) -> int:
        """The id of the shadow page to which the key belongs. Raises ValueError for a key of another kind."""
        return int(self._number(SHADOW, CHAIN))

    @property
    def gfn(self) -> int:
        """The gfn of the guest table, frame or large page to which the key belongs. Raises ValueError for a key of another
        kind."""
        return int(self._number(GUEST, FRAME, PIECES), 16)

    @property
    def hfn(self) -> int:
        """The hfn of the host frame to which the key belongs. Raises ValueError for a key of another kind."""
        return int(self._number(HOST_FRAME), 16)

    @property
    def spte(self) -> int:
        """The shadow entry that the key names, as its hpa // 8. Raises ValueError for any other key."""
        return FIRST_SHADOW + int(self._number(SHADOW)) << 9 | int(self.row)

    def _number(self, *kinds: str) -> str:
        kind, _, rest = self.partition(":")
        if kind not in kinds:
            raise ValueError(f"{self!r} is a key of kind {kind!r}, not {' or '.join(map(repr, kinds))}")
        return rest.partition(":")[0]


ROOTS = Key(ROOT)
"""The key of the four root slots above three-level shadow tables."""

PDPT = Key(f"{GUEST}:pdpt")
"""The key of the four PDPTEs of a PAE guest, which the processor holds in registers."""

HASH = Key(BUCKET)
"""The key of the hash of shadow pages."""


def shadow_page(id: int) -> Key:
    """The key of a shadow page: "s:248"."""
    return Key(f"{SHADOW}:{id}")


def guest_table(gfn: int) -> Key:
    """The key of the guest table in gfn: "g:61c9"."""
    return Key(f"{GUEST}:{gfn:x}")


def guest_frame(gfn: int) -> Key:
    """The key of a frame of guest memory: "f:29a5"."""
    return Key(f"{FRAME}:{gfn:x}")


def rmap_descriptor(frame: Key, number: int) -> Key:
    """The key of descriptor ``number`` of a frame's reverse map, counted from 0: "d:29a5:0"."""
    return Key(f"{DESCRIPTOR}:{frame.partition(':')[2]}:{number}")


def parent_chain(page: int, number: int) -> Key:
    """The key of parent chain ``number`` of a shadow page, counted from 0: "c:248:0"."""
    return Key(f"{CHAIN}:{page}:{number}")


def large_page(gfn: int) -> Key:
    """The key of the large page that begins at gfn: "p:600"."""
    return Key(f"{PIECES}:{gfn:x}")


def memory_slot(number: int) -> Key:
    """The key of a memory slot: "m:0"."""
    return Key(f"{MEMORY}:{number}")


def memory_alias(number: int) -> Key:
    """The key of an alias: "m:a0"."""
    return Key(f"{MEMORY}:a{number}")


def spte_key(spte: int) -> Key:
    """The key of a shadow entry, given as its hpa // 8: "s:248:457"."""
    return Key(f"{SHADOW}:{page_of(spte)}:{spte & 511}")


def key_of(vm: Machine, hpa: int) -> Key:
    """The key of the entry at a host address in a shadow page, the root slots or a guest frame; "?" anywhere else."""
    hfn, index = hpa >> PAGE_SHIFT, hpa % PAGE_SIZE >> 3
    if FIRST_SHADOW <= hfn < FIRST_SHADOW + NUM_PAGES:
        return Key(f"{SHADOW}:{hfn - FIRST_SHADOW}:{index}")
    if hfn == PAE_ROOT:
        return ROOTS.entry(index)
    gfn = vm.memory.gfns[hfn]
    return Key("?") if gfn is None else Key(f"{GUEST}:{gfn:x}:{hpa % PAGE_SIZE // guest_format(vm.root_level).size}")


def frame_key(vm: Machine, hfn: int) -> Key:
    """The key of host frame hfn, which uses its gfn if it has one."""
    gfn = vm.memory.gfns[hfn]
    return Key(f"{HOST_FRAME}:{hfn:x}") if gfn is None else guest_frame(gfn)
