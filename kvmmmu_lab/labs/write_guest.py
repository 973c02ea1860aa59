# SPDX-License-Identifier: GPL-2.0-only
"""The guest that `write_lab` prepares: pages in two tables, and a table that nobody used yet."""

from __future__ import annotations

from typing import Any

from ..mmu import Vm
from ..mmu.bits import PAGE_SHIFT
from .builder import Builder


def prepared(mode: str, parts: dict[str, Any]) -> tuple[Vm, dict[int, int], list[int]]:
    """The VM, the level of each of its tables by gfn, and the addresses that it has touched.

    Those of a 32-bit guest are in both quadrants of one table.
    """
    guest = Builder(mode, **parts)
    region = 1 << PAGE_SHIFT + guest.mode.form.index_bits
    half = region // 2
    touched = [0x1000, 0x2000, 0x3000, half + 0x1000, half + 0x2000, region + 0x1000]
    mapped = [*touched, 3 * region]
    for gva in mapped:
        guest.map(gva)
    vm = guest.start()
    for gva in touched:
        vm.access(gva, user=True)
    levels = [level for level in range(1, guest.mode.levels + 1) if not level == 3 == guest.mode.levels]
    return vm, {guest.table(gva, level): level for level in levels for gva in mapped}, touched
