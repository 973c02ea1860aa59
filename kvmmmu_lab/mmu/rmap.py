# SPDX-License-Identifier: GPL-2.0-only
"""Reverse maps: from a frame to the shadow entries through which it can be written (mmu.c:307-440).

Only entries that are present *and* writable count. The map of a frame has one of three forms: empty; one entry, which
needs no descriptor; or a list of descriptors with room for four entries each. A new entry goes into the first descriptor with
room. When an entry is removed, the last entry of its descriptor takes its place; an empty descriptor is dropped. A map that
shrinks to one entry keeps its descriptor.
"""

from __future__ import annotations

from ..errors import HostCrash
from . import events as ev
from .bits import BASE_MASK, PAGE_SHIFT, PRESENT, WRITABLE
from .machine import Machine
from .memory import FIRST_GUEST, FIRST_SHADOW
from .shadow import entry_name

RMAP_EXT = 4
COUNTED = PRESENT | WRITABLE


class ReverseMap:
    """The kernel's reverse map: ``heads[hfn]`` is an spte, or a list of descriptors (lists of 1..4 sptes)."""

    def __init__(self, vm: Machine) -> None:
        self.vm = vm
        self.heads: dict[int, int | list[list[int]]] = {}

    def add(self, spte: int) -> None:
        """Add a new entry, if it is present and writable (mmu.c:315-346)."""
        vm = self.vm
        entry = vm.memory.words[spte]
        if (entry & COUNTED) != COUNTED:
            return
        hfn = (entry & BASE_MASK) >> PAGE_SHIFT
        form = self.link(hfn, spte)
        if vm.emit is not None:
            vm.emit((ev.RMAP_ADD, spte, hfn, form))

    def link(self, hfn: int, spte: int) -> str:
        """Add spte to hfn's map; return how the form of the map changed (mmu.c:325-345)."""
        head = self.heads.get(hfn)
        if head is None:
            form = "0->1"
            self.heads[hfn] = spte
        elif isinstance(head, int):
            form = "1->many"
            self.vm.caches.rmap_desc.take()
            self.heads[hfn] = [[head, spte]]
        else:
            form = "many->many"
            for descriptor in head:
                if len(descriptor) < RMAP_EXT:
                    descriptor.append(spte)
                    break
            else:
                self.vm.caches.rmap_desc.take()
                head.append([spte])
        return form

    def remove(self, spte: int) -> None:
        """Remove an entry that is about to lose its writable or present bit (mmu.c:372-410).

        Raises HostCrash (BUG) if it isn't in the map of its frame.
        """
        vm = self.vm
        entry = vm.memory.words[spte]
        if (entry & COUNTED) != COUNTED:
            return
        hfn = (entry & BASE_MASK) >> PAGE_SHIFT
        form = self.unlink(hfn, spte)
        if vm.emit is not None:
            vm.emit((ev.RMAP_REMOVE, spte, hfn, form))

    def unlink(self, hfn: int, spte: int) -> str:
        """Remove spte from hfn's map; return how the form of the map changed (mmu.c:382-410). Raises HostCrash (BUG)."""
        head = self.heads.get(hfn)
        if head is None:
            raise HostCrash(
                "BUG",
                "rmap_remove",
                "mmu.c:384",
                f"{self._frame(hfn)} has no reverse map, but spte {entry_name(spte)} should be in it",
            )
        if isinstance(head, int):
            if head != spte:
                raise HostCrash(
                    "BUG",
                    "rmap_remove",
                    "mmu.c:390",
                    f"{self._frame(hfn)} has only spte {entry_name(head)} in its reverse map, not {entry_name(spte)}",
                )
            del self.heads[hfn]
            return "1->0"
        self._remove_from(head, hfn, spte)
        return "many->many"

    def _remove_from(self, descriptors: list[list[int]], hfn: int, spte: int) -> None:
        """Replace spte with the last entry of its descriptor; remove the descriptor if it is then empty (mmu.c:348-370)."""
        for descriptor in descriptors:
            if spte in descriptor:
                break
        else:
            raise HostCrash(
                "BUG", "rmap_remove", "mmu.c:408", f"no descriptor of {self._frame(hfn)} has spte {entry_name(spte)}"
            )
        descriptor[descriptor.index(spte)] = descriptor[-1]
        descriptor.pop()
        if not descriptor:
            # compared by identity, because == compares the contents of lists
            descriptors[:] = [other for other in descriptors if other is not descriptor]
            self.vm.caches.rmap_desc.give()
        if not descriptors:
            del self.heads[hfn]

    def write_protect(self, gfn: int) -> None:
        """Remove write access from every entry that reaches gfn, which is becoming a page table (mmu.c:412-439).

        Raises HostCrash (BUG) if gfn has no memory, or if an entry in the map reaches another frame or isn't writable.
        """
        vm = self.vm
        if vm.emit is not None:
            vm.emit((ev.WRITE_PROTECT, gfn))
        hfn = vm.memory.frames[gfn]
        if hfn is None:
            raise HostCrash("BUG", "rmap_write_protect", "mmu.c:420", f"gfn {gfn:#x} has no memory behind it")
        words = vm.memory.words
        while (head := self.heads.get(hfn)) is not None:
            spte = head if isinstance(head, int) else head[0][0]
            entry = words[spte]
            leads_to = (entry & BASE_MASK) >> PAGE_SHIFT
            if leads_to != hfn or (entry & COUNTED) != COUNTED:
                wrong = f"leads to host frame {leads_to:#x}" if leads_to != hfn else "isn't present and writable"
                raise HostCrash(
                    "BUG",
                    "rmap_write_protect",
                    "mmu.c:430-433",
                    f"spte {entry_name(spte)} (level 1) is in the reverse map of {self._frame(hfn)}, but its value {entry:#x} "
                    f"{wrong}",
                )
            self.remove(spte)
            vm.flush_tlb()
            vm.memory.put(spte, entry & ~WRITABLE, ev.PROTECT_SPTE)
        if vm.emit is not None:
            vm.emit((ev.END, None))

    def _frame(self, hfn: int) -> str:
        """A host frame in a message: "host frame 0x2b45 (gfn 0x29a5)", or "host frame 0x1f8 (shadow page #248)"."""
        if FIRST_SHADOW <= hfn < FIRST_GUEST:
            return f"host frame {hfn:#x} (shadow page #{hfn - FIRST_SHADOW})"
        gfn = self.vm.memory.gfns[hfn]
        return f"host frame {hfn:#x}" + (f" (gfn {gfn:#x})" if gfn is not None else "")

    def sptes(self, hfn: int) -> list[int]:
        """The entries in hfn's map, one descriptor after another."""
        head = self.heads.get(hfn)
        if head is None:
            return []
        return [head] if isinstance(head, int) else [spte for descriptor in head for spte in descriptor]

    def frames(self) -> list[int]:
        """The host frames that have a map."""
        return list(self.heads)
