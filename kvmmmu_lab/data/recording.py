# SPDX-License-Identifier: GPL-2.0-only
"""What a real guest's processor did: CR3 loads, page faults, accesses, writes to page tables, in program order."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from .arrays import check_lengths, check_pages, read_arrays, read_meta

ARRAYS = {"meta": ("U", 0), "type": ("u1", 1), "flag": ("u1", 1), "a": ("u8", 1), "b": ("u8", 1), "images": ("u1", 2)}
REGISTERS = "cr0 cr3 cr4 efer mem_bytes"

CR3_LOAD, PAGE_FAULT, ACCESS, TABLE_WRITE, ADOPTED, DROPPED, FLUSH, ROOT_DIED, INTERRUPT = range(9)
"""Types of events."""


@dataclass(frozen=True, repr=False, eq=False)
class Recording:
    """Events ``type[i]``, ``flag[i]``, ``a[i]``, ``b[i]``; ``images[k]`` are 4096-byte contents of frames.

    ==  ====================  ===============================  ===================================================
    0   CR3 load              a: new CR3
    1   guest page fault      a: CR2; b: error code            flag: CPL
    2   access                a: gva; b: gpa (2**64-1 unknown) flag: bits 0-1 read, write, fetch; 4 user; 8 device
    3   write to a table      a: gpa; b: value                 flag: size
    4   frame adopted         a: gfn; b: row of images         flag: level
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

    def __repr__(self) -> str:
        return f"<Recording {self.name}: mode {self.mode}, {len(self.type):,} events>"

    @classmethod
    def load(cls, path: Path) -> Recording:
        """Read a recording. Raises DataError."""
        arrays = read_arrays(path, ARRAYS)
        meta = read_meta(path, arrays, REGISTERS)
        check_lengths(path, arrays, "type flag a b")
        check_pages(path, arrays, "images")
        recording = cls(
            name=path.stem, meta=meta, mode=meta["mode"], **{name: arrays[name] for name in ARRAYS if name != "meta"}
        )
        kinds, adopted = recording.type, recording.b[recording.type == ADOPTED]
        if len(kinds) and kinds.max() > INTERRUPT:
            raise DataError(str(path), int(kinds.max()), "event types of 0..8")
        if len(adopted) and adopted.max() >= len(recording.images):
            raise DataError(str(path), int(adopted.max()), f"rows below {len(recording.images)}, the number of images")
        sizes = set(recording.flag[kinds == TABLE_WRITE].tolist())
        if not sizes <= {1, 2, 4, 8}:
            raise DataError(str(path), str(sorted(sizes)), "writes of 1, 2, 4 or 8 bytes")
        return recording
