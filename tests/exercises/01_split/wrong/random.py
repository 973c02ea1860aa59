# SPDX-License-Identifier: GPL-2.0-only


class two_quarters_as_one(shifts):
    """The lower half of a directory is one quadrant, and only its upper half is divided."""

    def quadrant(gva, level):
        return gva >> 21 & 1 if level == 1 else max(gva >> 30, 1) - 1 if gva < 1 << 31 else gva >> 30


class upper_half_one_bit_short(shifts):
    """In the upper half, bit 47 is taken for a sign, so that the index in the root loses it."""

    def indexes(gva, mode):
        if mode == "64":
            root = gva >> 39 & (0x1FF if gva >> 48 else 0xFF)
            return root, gva >> 30 & 0x1FF, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF
        if mode == "pae":
            return gva >> 30 & 3, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF
        return gva >> 22 & 0x3FF, gva >> 12 & 0x3FF
