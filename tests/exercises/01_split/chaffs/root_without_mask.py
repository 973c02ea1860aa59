# SPDX-License-Identifier: GPL-2.0-only
"""The root's index isn't masked: right as long as bits 48 to 63 are clear."""
# breaks: upper


def split(gva, mode):
    offset = gva & 0xFFF
    if mode == "64":
        return gva >> 39, gva >> 30 & 0x1FF, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF, offset
    if mode == "pae":
        return gva >> 30 & 3, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF, offset
    return gva >> 22 & 0x3FF, gva >> 12 & 0x3FF, offset


def quadrant(gva, level):
    return gva >> 12 + 9 * level & 2**level - 1
