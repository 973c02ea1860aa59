# SPDX-License-Identifier: GPL-2.0-only
"""Learn how a hypervisor virtualises memory, with the shadow-paging MMU of KVM in Linux 2.6.22.

In this first session, the processor walks shadow tables instead of the page tables of a real Linux guest::

    >>> from kvmmmu_lab import open_guest
    >>> vm = open_guest("lin64_A").vm()
    >>> vm.access(0x400000, user=True)
    Access(outcome='ok', gpa=0x330a000, faults=1, error=None)
    >>> vm.access(0x400000, user=True).faults
    0
    >>> vm.pool.lookup(vm.cpu.cr3 >> 12)
    <shadow L4 #251 of gfn 0x61a6, 4 guest levels, root x1>

`Vm` is the virtual machine. `kvmmmu_lab.mmu` is the engine; its docstring recommends an order for reading its modules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .console_encoding import print_anything
from .errors import DataError, HostCrash, InputError, LabError, SlotError, VmDead
from .mmu import Access, Complaint, Event, Vm, describe

if TYPE_CHECKING:
    from .data import Guest, Trace, open_guest, open_trace
    from .recording import load as load_recording
    from .recording import record

__all__ = [
    "Access",
    "Complaint",
    "DataError",
    "Event",
    "Guest",
    "HostCrash",
    "InputError",
    "LabError",
    "SlotError",
    "Trace",
    "Vm",
    "VmDead",
    "describe",
    "load_recording",
    "open_guest",
    "open_trace",
    "record",
]


# here, because pictures, films and reports are printed by any program that uses the kit, not only by `kvmmmu-lab`
print_anything()


def __getattr__(name: str) -> Any:
    """Import `data` and `recording` on first use, so that importing the engine alone stays fast."""
    if name in ("load_recording", "record"):
        from . import recording

        return recording.load if name == "load_recording" else recording.record
    if name in ("Guest", "Trace", "open_guest", "open_trace"):
        from . import data

        return getattr(data, name)
    raise AttributeError(f"module 'kvmmmu_lab' has no attribute {name!r}")


def load_ipython_extension(shell: Any) -> None:
    """Register the cell magic ``%%record``. IPython calls this for ``%load_ext kvmmmu_lab`` (see `kvmmmu_lab.labs.watch`)."""
    from .labs.watch import load_magic

    load_magic(shell)
