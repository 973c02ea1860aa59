# SPDX-License-Identifier: GPL-2.0-only
"""Moves right, and masks nothing."""
# breaks: 64


def split(gva, mode):
    offset = gva & 0xFFF
    if mode == "64":
        return gva >> 39, gva >> 30, gva >> 21, gva >> 12, offset
    if mode == "pae":
        return gva >> 30, gva >> 21, gva >> 12, offset
    return gva >> 22, gva >> 12, offset


def quadrant(gva, level):
    return gva >> 12 + 9 * level & 2**level - 1
