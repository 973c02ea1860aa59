# SPDX-License-Identifier: GPL-2.0-only
"""Exercise 01: split an address. The task is in README.md."""


def split(gva, mode):
    """Split gva into the index of its entry in each table, from the root down, and the offset in the page.

    ``gva``: a byte address, 0 <= gva < 2**64 with ``mode`` "64", 0 <= gva < 2**32 with "pae" and "32".
    Returns (PML4, PDPT, PD, PT, offset) with "64", (PDPTE, PD, PT, offset) with "pae", (PD, PT, offset) with "32".
    """
    raise NotImplementedError("write split")


def quadrant(gva, level):
    """Return the quadrant of a 32-bit guest's table that covers gva (0 <= gva < 2**32).

    ``level`` 1: quadrant of a page table, 0 or 1; ``level`` 2: quadrant of a directory, 0 to 3.
    """
    raise NotImplementedError("write quadrant")
