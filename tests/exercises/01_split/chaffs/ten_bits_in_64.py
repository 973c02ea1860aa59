# SPDX-License-Identifier: GPL-2.0-only
"""Takes 10 bits for an index of a 64-bit guest."""
# breaks: 64


def split(gva, mode):
    offset = gva & 0xFFF
    if mode == "64":
        return gva >> 39 & 0x3FF, gva >> 30 & 0x3FF, gva >> 21 & 0x3FF, gva >> 12 & 0x3FF, offset
    if mode == "pae":
        return gva >> 30 & 3, gva >> 21 & 0x3FF, gva >> 12 & 0x3FF, offset
    return gva >> 22 & 0x3FF, gva >> 12 & 0x3FF, offset


def quadrant(gva, level):
    return gva >> 12 + 9 * level & 2**level - 1
