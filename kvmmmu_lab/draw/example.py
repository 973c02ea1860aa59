# SPDX-License-Identifier: GPL-2.0-only
"""The picture in the README, small enough to check by hand: ``python -m kvmmmu_lab.draw.example > FILE.svg``."""

from __future__ import annotations

from ..mmu import Vm
from ..mmu.bits import CR0_WP, MODES
from .page_tables import hierarchy_scene
from .pictures import Picture

DATA, SELF = 0x5000, 0x6000
"""The addresses of a data page and of the page table that maps both pages."""


def guest_with_its_own_table_mapped() -> Vm:
    """Return a 64-bit guest with one table per level, in gfns 1 to 4. Its page table maps a data page and itself."""
    vm = Vm()
    for gfn in (1, 2, 3):
        vm.poke(gfn << 12, gfn + 1 << 12 | 0x67)
    vm.poke(0x4000 + 8 * (DATA >> 12), 0x20067)
    vm.poke(0x4000 + 8 * (SELF >> 12), 0x04067)
    mode = MODES["64"]
    vm.set_registers(mode.cr0 | CR0_WP, 0x1000, mode.cr4, mode.efer)
    return vm


def example() -> Picture:
    """Return the picture of that guest's two pages after one access to each. No shadow entry permits writes to the table."""
    vm = guest_with_its_own_table_mapped()
    for gva in (DATA, SELF):
        vm.access(gva)
    return Picture(hierarchy_scene(vm, (DATA, SELF)))


if __name__ == "__main__":
    print(example().svg)
