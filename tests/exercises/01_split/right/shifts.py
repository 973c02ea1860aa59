# SPDX-License-Identifier: GPL-2.0-only
"""Shift and mask, written out for each mode."""


def split(gva, mode):
    return *indexes(gva, mode), gva & 0xFFF


def indexes(gva, mode):
    if mode == "64":
        return gva >> 39 & 0x1FF, gva >> 30 & 0x1FF, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF
    if mode == "pae":
        return gva >> 30 & 3, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF
    return gva >> 22 & 0x3FF, gva >> 12 & 0x3FF


def quadrant(gva, level):
    return gva >> 21 & 1 if level == 1 else gva >> 30 & 3
