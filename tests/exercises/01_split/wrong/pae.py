# SPDX-License-Identifier: GPL-2.0-only


class pae_as_32(divmods):
    """A PAE guest's address is cut as a 32-bit guest's, below the PDPTE."""

    def split(gva, mode):
        offset = gva & 0xFFF
        if mode == "64":
            return gva >> 39 & 0x1FF, gva >> 30 & 0x1FF, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF, offset
        if mode == "pae":
            return gva >> 30 & 3, gva >> 22 & 0xFF, gva >> 12 & 0x3FF, offset
        return gva >> 22 & 0x3FF, gva >> 12 & 0x3FF, offset

    def quadrant(gva, level):
        return gva >> 12 + 9 * level & 2**level - 1


class pae_has_pml4(divmods):
    """A PAE guest gets four indexes, as if it had a PML4."""

    def split(gva, mode):
        offset = gva & 0xFFF
        if mode == "64":
            return gva >> 39 & 0x1FF, gva >> 30 & 0x1FF, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF, offset
        if mode == "pae":
            return 0, gva >> 30 & 3, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF, offset
        return gva >> 22 & 0x3FF, gva >> 12 & 0x3FF, offset

    def quadrant(gva, level):
        return gva >> 12 + 9 * level & 2**level - 1


class pae_one_bit(divmods):
    """The number of the PDPTE has only one bit."""

    def split(gva, mode):
        offset = gva & 0xFFF
        if mode == "64":
            return gva >> 39 & 0x1FF, gva >> 30 & 0x1FF, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF, offset
        if mode == "pae":
            return gva >> 30 & 1, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF, offset
        return gva >> 22 & 0x3FF, gva >> 12 & 0x3FF, offset

    def quadrant(gva, level):
        return gva >> 12 + 9 * level & 2**level - 1


class pae_without_pdpte(divmods):
    """The number of the PDPTE is left out."""

    def split(gva, mode):
        offset = gva & 0xFFF
        if mode == "64":
            return gva >> 39 & 0x1FF, gva >> 30 & 0x1FF, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF, offset
        if mode == "pae":
            return gva >> 21 & 0x1FF, gva >> 12 & 0x1FF, offset
        return gva >> 22 & 0x3FF, gva >> 12 & 0x3FF, offset

    def quadrant(gva, level):
        return gva >> 12 + 9 * level & 2**level - 1
