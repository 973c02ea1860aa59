# SPDX-License-Identifier: GPL-2.0-only
"""Exercise 02: walk the guest's page tables. The task is in README.md."""

from kvmmmu_lab.mmu import events as ev  # noqa: F401
from kvmmmu_lab.mmu.walk import Walk  # noqa: F401


def walk(vm, gva, write, user, fetch):
    """Walk the guest's tables for one access, set accessed bits on the way, and return where the walk ended.

    ``gva``: the byte address that is accessed (canonical; below 2**32 unless ``vm.root_level`` is 4). ``write``, ``fetch``:
    the kind of access; at most one is true, and neither for a read. ``user``: whether user code makes the access.
    Returns a ``Walk(level, tables, entry, rights, gfn, error)``; ``error`` is None if the access is allowed, else the
    error code of the guest's page fault. Raises no exception.
    """
    raise NotImplementedError("write walk")
