# SPDX-License-Identifier: GPL-2.0-only
"""`small_guest`: a guest with a handful of pages, for lessons in which a real one would have too much to look at."""

from __future__ import annotations

from typing import Any

from .builder import Builder


def small_guest(mode: str, *gvas: int, **parts: Any) -> Builder:
    """A running guest ("64", "pae", "32" or "32 pse") that maps these addresses and has touched each of them once.

    ``vm`` of the result is the machine; ``entry_gpa(gva, level)`` says where the guest keeps an entry, ``table(gva, level)``
    in which gfn; ``map(gva)`` maps one more. ``parts`` go into the VM. Raises InputError.

    >>> guest = small_guest("64", 0x1000, 0x2000)
    >>> hex(guest.entry_gpa(0x2000)), guest.vm.access(0x2000).faults
    ('0x14010', 0)
    """
    guest = Builder(mode, **parts)
    for gva in gvas:
        guest.map(gva)
    vm = guest.start()
    for gva in gvas:
        vm.access(gva, user=True)
    return guest
