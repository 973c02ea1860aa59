# SPDX-License-Identifier: GPL-2.0-only
"""Shift and mask, written out for each mode."""


def split(gva, mode):
    offset = gva & 0xFFF
    if mode == "64":
        return gva >> 39 & 0x1FF, gva >> 30 & 0x1FF, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF, offset
    if mode == "pae":
        return gva >> 30 & 3, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF, offset
    return gva >> 22 & 0x3FF, gva >> 12 & 0x3FF, offset


def quadrant(gva, level):
    return gva >> 21 & 1 if level == 1 else gva >> 30 & 3
