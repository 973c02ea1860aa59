# SPDX-License-Identifier: GPL-2.0-only
"""kvmmmu_lab: learn how a hypervisor virtualises memory, on the shadow-paging MMU of KVM in Linux 2.6.22."""

from .errors import DataError, HostCrash, InputError, LabError, SlotError, VmDead
from .mmu import Access, Complaint, Event, Vm, describe

__all__ = [
    "Access",
    "Complaint",
    "DataError",
    "Event",
    "HostCrash",
    "InputError",
    "LabError",
    "SlotError",
    "Vm",
    "VmDead",
    "describe",
]
