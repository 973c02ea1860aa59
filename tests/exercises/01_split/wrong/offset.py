# SPDX-License-Identifier: GPL-2.0-only


class no_offset(divmods):
    """The offset is left out."""

    def split(gva, mode):
        if mode == "64":
            return gva >> 39 & 0x1FF, gva >> 30 & 0x1FF, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF
        if mode == "pae":
            return gva >> 30 & 3, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF
        return gva >> 22 & 0x3FF, gva >> 12 & 0x3FF

    def quadrant(gva, level):
        return gva >> 12 + 9 * level & 2**level - 1


class offset_of_ten_bits(divmods):
    """The offset has 10 bits."""

    def split(gva, mode):
        offset = gva & 0x3FF
        if mode == "64":
            return gva >> 39 & 0x1FF, gva >> 30 & 0x1FF, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF, offset
        if mode == "pae":
            return gva >> 30 & 3, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF, offset
        return gva >> 22 & 0x3FF, gva >> 12 & 0x3FF, offset

    def quadrant(gva, level):
        return gva >> 12 + 9 * level & 2**level - 1
