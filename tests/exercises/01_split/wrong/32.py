# SPDX-License-Identifier: GPL-2.0-only


class nine_bits_in_32(shifts):
    """An index of a 32-bit guest has 9 bits, and that of the directory begins at bit 21."""

    def indexes(gva, mode):
        if mode == "64":
            return gva >> 39 & 0x1FF, gva >> 30 & 0x1FF, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF
        if mode == "pae":
            return gva >> 30 & 3, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF
        return gva >> 21 & 0x1FF, gva >> 12 & 0x1FF


class nine_bits_in_32_table(shifts):
    """The page table's index of a 32-bit guest has 9 bits."""

    def indexes(gva, mode):
        if mode == "64":
            return gva >> 39 & 0x1FF, gva >> 30 & 0x1FF, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF
        if mode == "pae":
            return gva >> 30 & 3, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF
        return gva >> 22 & 0x3FF, gva >> 12 & 0x1FF


class remembers_without_mode(shifts):
    """It remembers the answer for an address, and gives it for another mode as well."""

    SEEN = {}

    def split(gva, mode):
        return SEEN.setdefault(gva, (*indexes(gva, mode), gva & 0xFFF))
