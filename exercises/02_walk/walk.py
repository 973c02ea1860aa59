# SPDX-License-Identifier: GPL-2.0-only
"""Exercise 02: walk the guest's page tables. The task is in README.md."""

from kvmmmu_lab.mmu import events as ev  # noqa: F401
from kvmmmu_lab.mmu.walk import Walk  # noqa: F401


def walk(vm, gva, write, user, fetch):
    """Walk the guest's tables for one access, set accessed bits on the way, and say where it ended.

    ``gva``: the byte address that is accessed (canonical; below 2**32 unless ``vm.root_level`` is 4). ``write``, ``fetch``:
    what is done, neither for a read, never both; ``user``: whether user code does it.
    Returns a ``Walk(level, tables, entry, rights, gfn, error)``; ``error`` is None where the access is allowed, else the
    error code of the guest's page fault. Raises nothing.
    """
    raise NotImplementedError("walk isn't written yet")
