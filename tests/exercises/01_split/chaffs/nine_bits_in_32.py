# SPDX-License-Identifier: GPL-2.0-only
"""Takes 9 bits for an index of a 32-bit guest, and 21 for the place of the directory's."""
# breaks: 32


def split(gva, mode):
    offset = gva & 0xFFF
    if mode == "64":
        return gva >> 39 & 0x1FF, gva >> 30 & 0x1FF, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF, offset
    if mode == "pae":
        return gva >> 30 & 3, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF, offset
    return gva >> 21 & 0x1FF, gva >> 12 & 0x1FF, offset


def quadrant(gva, level):
    return gva >> 12 + 9 * level & 2**level - 1
