# SPDX-License-Identifier: GPL-2.0-only
"""A trace of a real guest's processor, in program order: CR3 loads, page faults, accesses, writes to page tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from ..mmu.bits import ALL_ONES, CR0_PG, CR0_WP, EFER_NX, MODES
from .arrays import check_lengths, check_pages, read_arrays, read_meta

ARRAYS = {"meta": ("U", 0), "type": ("u1", 1), "flag": ("u1", 1), "a": ("u8", 1), "b": ("u8", 1), "images": ("u1", 2)}
REGISTERS = "cr0 cr3 cr4 efer mem_bytes"

CR3_LOAD, PAGE_FAULT, ACCESS, TABLE_WRITE, ADOPTED, DROPPED, FLUSH, ROOT_DIED, INTERRUPT = range(9)
"""The types of events (see `Trace`)."""


@dataclass(frozen=True, repr=False, eq=False)
class Trace:
    """The events of a guest.

    Event i consists of ``type[i]``, ``flag[i]``, ``a[i]`` and ``b[i]``. ``images[k]`` contains the 4096 bytes of a page. A
    frame is *adopted* when it becomes a page table, and *dropped* when it stops being one.

    ==  ====================  ===============================  ===================================================
    0   CR3 load              a: new CR3
    1   guest page fault      a: CR2; b: error code            flag: CPL
    2   access                a: gva; b: gpa (2**64-1 unknown) flag & 3: 0 read, 1 write, 2 fetch; & 4: user; & 8: device
    3   write to a table      a: gpa; b: value                 flag: size in bytes
    4   frame adopted         a: gfn; b: index into images     flag: level
    5   frame dropped         a: gfn
    6   INVLPG or MOV CR4
    7   root died             a: CR3
    8   other interrupt       a: vector; b: error code         flag: CPL
    ==  ====================  ===============================  ===================================================
    """

    name: str
    meta: dict[str, Any]
    mode: str
    type: np.ndarray
    flag: np.ndarray
    a: np.ndarray
    b: np.ndarray
    images: np.ndarray

    def _check_events(self, path: Path) -> None:
        """Raise DataError if an event has an address or a flag that is impossible in this mode."""

        def refuse(wrong: np.ndarray, what: str, expected: str) -> None:
            if wrong.any():
                event = int(wrong.argmax())
                row = f"{what} {int(self.a[event]):#x}, b {int(self.b[event]):#x}, flag {int(self.flag[event])}"
                raise DataError(str(path), f"event {event}: {row}", expected)

        if not len(self.type):
            raise DataError(str(path), "0 events", "at least one")
        levels = MODES[self.mode].levels
        fault, access = self.type == PAGE_FAULT, self.type == ACCESS
        if self.mode == "64":
            high = self.a >> np.uint64(47)
            refuse((fault | access) & (high != 0) & (high != 0x1FFFF), "gva", "canonical addresses")
        else:
            narrow = fault | access | (self.type == CR3_LOAD)
            refuse(narrow & (self.a >> np.uint64(32) != 0), "address", f"32 bits in mode {self.mode}")
        refuse(access & ((self.flag & 3 == 3) | (self.flag > 31)), "access", "read, write or fetch, and bits 2..4")
        codes = 0x17 if self.meta["efer"] & EFER_NX else 0x7
        refuse(fault & (self.b & np.uint64(~codes & ALL_ONES) != 0), "fault", f"an error code with no bits outside {codes:#x}")
        refuse(fault & (self.b & np.uint64(4) != 0) & (self.flag != 3), "fault", "CPL 3 for a user fault")
        adopted = self.type == ADOPTED
        refuse(adopted & ((self.flag < 1) | (self.flag > levels)), "frame adopted", f"levels of 1..{levels}")

    def __repr__(self) -> str:
        return f"<Trace {self.name}: mode {self.mode}, {len(self.type):,} events>"

    @classmethod
    def load(cls, path: Path) -> Trace:
        """Read a trace from a file. Raises DataError if the file can't be used."""
        arrays = read_arrays(path, ARRAYS)
        meta = read_meta(path, arrays, REGISTERS)
        check_lengths(path, arrays, "type flag a b")
        check_pages(path, arrays, "images")
        trace = cls(name=path.stem, meta=meta, mode=meta["mode"], **{name: arrays[name] for name in ARRAYS if name != "meta"})
        if not meta["cr0"] & CR0_PG or not meta["cr0"] & CR0_WP:
            raise DataError(str(path), f"meta: cr0 {meta['cr0']:#x}", "CR0.PG and CR0.WP, both set throughout")
        kinds, adopted = trace.type, trace.b[trace.type == ADOPTED]
        if len(kinds) and kinds.max() > INTERRUPT:
            raise DataError(str(path), int(kinds.max()), "event types of 0..8")
        if len(adopted) and adopted.max() >= len(trace.images):
            raise DataError(str(path), int(adopted.max()), f"rows below {len(trace.images)}, the number of images")
        trace._check_events(path)
        sizes = set(trace.flag[kinds == TABLE_WRITE].tolist())
        if not sizes <= {1, 2, 4, 8}:
            raise DataError(str(path), str(sorted(sizes)), "writes of 1, 2, 4 or 8 bytes")
        return trace
