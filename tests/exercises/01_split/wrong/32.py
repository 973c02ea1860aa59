# SPDX-License-Identifier: GPL-2.0-only


class nine_bits_in_32(divmods):
    """Takes 9 bits for an index of a 32-bit guest, and 21 for the place of the directory's."""

    def split(gva, mode):
        offset = gva & 0xFFF
        if mode == "64":
            return gva >> 39 & 0x1FF, gva >> 30 & 0x1FF, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF, offset
        if mode == "pae":
            return gva >> 30 & 3, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF, offset
        return gva >> 21 & 0x1FF, gva >> 12 & 0x1FF, offset

    def quadrant(gva, level):
        return gva >> 12 + 9 * level & 2**level - 1


class nine_bits_in_32_table(divmods):
    """Of a 32-bit guest's page table only 9 bits of the index are taken."""

    def split(gva, mode):
        offset = gva & 0xFFF
        if mode == "64":
            return gva >> 39 & 0x1FF, gva >> 30 & 0x1FF, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF, offset
        if mode == "pae":
            return gva >> 30 & 3, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF, offset
        return gva >> 22 & 0x3FF, gva >> 12 & 0x1FF, offset

    def quadrant(gva, level):
        return gva >> 12 + 9 * level & 2**level - 1


class remembers_without_mode(divmods):
    """Remembers answers by address alone, so another mode gets the first one's."""

    def _split(gva, mode):
        offset = gva & 0xFFF
        if mode == "64":
            return gva >> 39 & 0x1FF, gva >> 30 & 0x1FF, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF, offset
        if mode == "pae":
            return gva >> 30 & 3, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF, offset
        return gva >> 22 & 0x3FF, gva >> 12 & 0x3FF, offset

    SEEN = {}

    def split(gva, mode):
        if gva not in SEEN:
            SEEN[gva] = _split(gva, mode)
        return SEEN[gva]

    def quadrant(gva, level):
        return gva >> 12 + 9 * level & 2**level - 1
