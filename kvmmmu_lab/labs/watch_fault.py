# SPDX-License-Identifier: GPL-2.0-only
"""`fault_flow` and `watch_fault`: a page fault as a flow chart, alone or below the trees that it changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..draw.arguments import check_gva, check_vm
from ..draw.fault_flow import FaultFlow, chart
from ..draw.pictures import Picture
from ..draw.scene import Marks
from ..mmu import Vm
from .watch import Watch, watch


def fault_flow(vm: Vm | None = None, *gvas: int) -> Picture:
    """Draw how the host handles a page fault, as a flow chart; with a VM, below the paths of these addresses.

    Raises InputError for an impossible argument.
    """
    if vm is None:
        return Picture(chart())
    check_vm(vm)
    return Picture(FaultFlow([check_gva(vm, gva) for gva in gvas])(vm, Marks()))


def watch_fault(operation: Callable[[], Any], vm: Vm, *gvas: int) -> Watch:
    """Run an operation that faults, and return its film: the paths of these addresses, and below them the flow chart.

    The part of the chart that runs is yellow. For ``operation`` and what is raised, see `watch`.
    """
    check_vm(vm)
    return watch(operation, vm, gvas, draw=FaultFlow([check_gva(vm, gva) for gva in gvas]))
