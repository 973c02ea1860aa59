# SPDX-License-Identifier: GPL-2.0-only


class leaf_first(divmods):
    """The page table's index comes first, the root's last."""

    def split(gva, mode):
        offset = gva & 0xFFF
        if mode == "64":
            return gva >> 12 & 0x1FF, gva >> 21 & 0x1FF, gva >> 30 & 0x1FF, gva >> 39 & 0x1FF, offset
        if mode == "pae":
            return gva >> 30 & 3, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF, offset
        return gva >> 22 & 0x3FF, gva >> 12 & 0x3FF, offset

    def quadrant(gva, level):
        return gva >> 12 + 9 * level & 2**level - 1


class no_masks(divmods):
    """Moves right, and masks nothing."""

    def split(gva, mode):
        offset = gva & 0xFFF
        if mode == "64":
            return gva >> 39, gva >> 30, gva >> 21, gva >> 12, offset
        if mode == "pae":
            return gva >> 30, gva >> 21, gva >> 12, offset
        return gva >> 22, gva >> 12, offset

    def quadrant(gva, level):
        return gva >> 12 + 9 * level & 2**level - 1


class offset_is_page(divmods):
    """Answers the page's address instead of the offset in it."""

    def split(gva, mode):
        offset = gva & ~0xFFF if gva >> 12 else gva
        if mode == "64":
            return gva >> 39 & 0x1FF, gva >> 30 & 0x1FF, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF, offset
        if mode == "pae":
            return gva >> 30 & 3, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF, offset
        return gva >> 22 & 0x3FF, gva >> 12 & 0x3FF, offset

    def quadrant(gva, level):
        return gva >> 12 + 9 * level & 2**level - 1


class ten_bits_in_64(divmods):
    """Takes 10 bits for an index of a 64-bit guest."""

    def split(gva, mode):
        offset = gva & 0xFFF
        if mode == "64":
            return gva >> 39 & 0x3FF, gva >> 30 & 0x3FF, gva >> 21 & 0x3FF, gva >> 12 & 0x3FF, offset
        if mode == "pae":
            return gva >> 30 & 3, gva >> 21 & 0x3FF, gva >> 12 & 0x3FF, offset
        return gva >> 22 & 0x3FF, gva >> 12 & 0x3FF, offset

    def quadrant(gva, level):
        return gva >> 12 + 9 * level & 2**level - 1
