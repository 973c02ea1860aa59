# SPDX-License-Identifier: GPL-2.0-only
"""Exercise 01: split an address. The task is in README.md."""


def split(gva, mode):
    """The index of gva's entry in each table on its way, from the root down, and then the offset in the page.

    ``gva``: a byte address, 0 <= gva < 2**64 with ``mode`` "64", below 2**32 with "pae" and "32".
    Returns (PML4, PDPT, PD, PT, offset) with "64", (PDPTE, PD, PT, offset) with "pae", (PD, PT, offset) with "32".
    """
    raise NotImplementedError("split isn't written yet")


def quadrant(gva, level):
    """Which of the shadow pages of a 32-bit guest's table serves gva (0 <= gva < 2**32).

    ``level`` 1: of a page table, 0 or 1; ``level`` 2: of a directory, 0 to 3.
    """
    raise NotImplementedError("quadrant isn't written yet")
