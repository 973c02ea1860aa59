# SPDX-License-Identifier: GPL-2.0-only
"""The page tables of a real guest at one instant, and the translations that its processor made with them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from ..mmu import Vm
from ..mmu.bits import CR0_PG, MODES, PAGE_SHIFT
from .arrays import check_lengths, check_pages, read_arrays, read_meta

ARRAYS = {
    "meta": ("U", 0),
    "roots": ("u8", 1),
    "frame_pfn": ("u4", 1),
    "frame_data": ("u1", 2),
    "tlb_gva": ("u8", 1),
    "tlb_gpa": ("u8", 1),
    "tlb_flags": ("u2", 1),
    "mem_start": ("u8", 1),
    "mem_end": ("u8", 1),
    "mem_flags": ("u1", 1),
    "probe_gva": ("u8", 1),
    "probe_gpa": ("u8", 1),
}
REGISTERS = "cr0 cr3 cr4 efer mem_bytes"
VGA_HOLE = (0xA0, 0x100)
"""The range [start, end) of gfns without RAM on a PC: the video memory and ROMs below 1 MiB."""


@dataclass(frozen=True, repr=False, eq=False)
class Guest:
    """A snapshot of a guest. Of guest memory, it contains only the frames that hold page tables.

    ``mode``: "32", "pae" or "64".
    ``roots``: the CR3 values in use, the current one first.
    ``gfns``, ``pages``: the gfn and the 4096 bytes of each frame that holds a page table.
    ``tlb_gva``, ``tlb_gpa``, ``tlb_flags``: one leaf entry under the current CR3 per row. The flags are copied from the leaf
    entry: bit 0 W, 1 U, 2 PWT, 3 PCD, 4 A, 5 D, 6 large, 7 G, 8 NX.
    ``mem_start``, ``mem_end``, ``mem_flags``: gva ranges [start, end) with the same access rights. A right is granted only
    if the entries of all levels grant it. Bit 0 of the flags means writable, bit 1 user.
    ``probe_gva``, ``probe_gpa``: single translations; a gpa of 2**64-1 means unmapped.
    """

    name: str
    meta: dict[str, Any]
    mode: str
    roots: np.ndarray
    gfns: np.ndarray
    pages: np.ndarray
    tlb_gva: np.ndarray
    tlb_gpa: np.ndarray
    tlb_flags: np.ndarray
    mem_start: np.ndarray
    mem_end: np.ndarray
    mem_flags: np.ndarray
    probe_gva: np.ndarray
    probe_gpa: np.ndarray

    @classmethod
    def load(cls, path: Path) -> Guest:
        """Read a snapshot from a file. Raises DataError if the file can't be used."""
        arrays = read_arrays(path, ARRAYS)
        meta = read_meta(path, arrays, REGISTERS)
        check_lengths(
            path,
            arrays,
            "frame_pfn frame_data",
            "tlb_gva tlb_gpa tlb_flags",
            "mem_start mem_end mem_flags",
            "probe_gva probe_gpa",
        )
        check_pages(path, arrays, "frame_data")
        if meta["cr0"] & CR0_PG and not len(arrays["roots"]):
            raise DataError(str(path), "roots: none", "the current CR3 at least")
        rest = {name: arrays[name] for name in ARRAYS if name.startswith(("tlb", "mem", "probe"))}
        tables = {"roots": arrays["roots"], "gfns": arrays["frame_pfn"], "pages": arrays["frame_data"]}
        return cls(name=path.stem, meta=meta, mode=meta["mode"], **tables, **rest)

    def __repr__(self) -> str:
        what = f"{len(self.gfns)} page-table frames, {len(self.tlb_gva)} mapped pages"
        return f"<Guest {self.name}: {MODES[self.mode].words} Linux, {what}>"

    @property
    def paging(self) -> bool:
        """Whether CR0.PG is set."""
        return bool(self.meta["cr0"] & CR0_PG)

    def vm(self, **options: Any) -> Vm:
        """Make a VM with this guest's memory size, page tables and registers. Its shadow tables are empty.

        ``options`` are passed to `Vm`, for example ``tlb`` or parts to replace.
        """
        vm = Vm([(0, VGA_HOLE[0]), (VGA_HOLE[1], (self.meta["mem_bytes"] >> PAGE_SHIFT) - VGA_HOLE[1])], **options)
        for gfn, page in zip(self.gfns.tolist(), self.pages, strict=True):
            vm.load_page(gfn, page.tobytes())
        vm.set_registers(*(self.meta[name] for name in ("cr0", "cr3", "cr4", "efer")))
        return vm
