# SPDX-License-Identifier: GPL-2.0-only


class leaf_first(shifts):
    """The index of the page table comes first, and that of the root last."""

    def indexes(gva, mode):
        if mode == "64":
            return gva >> 12 & 0x1FF, gva >> 21 & 0x1FF, gva >> 30 & 0x1FF, gva >> 39 & 0x1FF
        if mode == "pae":
            return gva >> 30 & 3, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF
        return gva >> 22 & 0x3FF, gva >> 12 & 0x3FF


class no_masks(shifts):
    """It shifts the address and masks nothing."""

    def indexes(gva, mode):
        if mode == "64":
            return gva >> 39, gva >> 30, gva >> 21, gva >> 12
        if mode == "pae":
            return gva >> 30, gva >> 21, gva >> 12
        return gva >> 22, gva >> 12


class offset_is_page(shifts):
    """It answers the page's address instead of the offset in the page."""

    def split(gva, mode):
        return *indexes(gva, mode), gva & ~0xFFF if gva >> 12 else gva


class ten_bits_in_64(shifts):
    """An index of a 64-bit guest has 10 bits."""

    def indexes(gva, mode):
        if mode == "64":
            return gva >> 39 & 0x3FF, gva >> 30 & 0x3FF, gva >> 21 & 0x3FF, gva >> 12 & 0x3FF
        if mode == "pae":
            return gva >> 30 & 3, gva >> 21 & 0x3FF, gva >> 12 & 0x3FF
        return gva >> 22 & 0x3FF, gva >> 12 & 0x3FF
