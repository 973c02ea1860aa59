# SPDX-License-Identifier: GPL-2.0-only
"""The address is cut as a string of zeros and ones."""

from itertools import pairwise


def split(gva, mode):
    text = f"{gva:064b}"
    ends = {"64": (16, 25, 34, 43, 52, 64), "pae": (32, 34, 43, 52, 64), "32": (32, 42, 52, 64)}[mode]
    return tuple(int(text[first:last], 2) for first, last in pairwise(ends))


def quadrant(gva, level):
    text = f"{gva:032b}"
    return int(text[10]) if level == 1 else int(text[:2], 2)
