# SPDX-License-Identifier: GPL-2.0-only


class pae_as_32(shifts):
    """Below the PDPTE the address of a PAE guest is split like that of a 32-bit guest."""

    def indexes(gva, mode):
        if mode == "64":
            return gva >> 39 & 0x1FF, gva >> 30 & 0x1FF, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF
        if mode == "pae":
            return gva >> 30 & 3, gva >> 22 & 0xFF, gva >> 12 & 0x3FF
        return gva >> 22 & 0x3FF, gva >> 12 & 0x3FF


class pae_has_pml4(shifts):
    """A PAE guest has four indexes, as if it had a PML4."""

    def indexes(gva, mode):
        if mode == "64":
            return gva >> 39 & 0x1FF, gva >> 30 & 0x1FF, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF
        if mode == "pae":
            return 0, gva >> 30 & 3, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF
        return gva >> 22 & 0x3FF, gva >> 12 & 0x3FF


class pae_one_bit(shifts):
    """The index of the PDPTE has 1 bit."""

    def indexes(gva, mode):
        if mode == "64":
            return gva >> 39 & 0x1FF, gva >> 30 & 0x1FF, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF
        if mode == "pae":
            return gva >> 30 & 1, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF
        return gva >> 22 & 0x3FF, gva >> 12 & 0x3FF


class pae_without_pdpte(shifts):
    """The index of the PDPTE is missing."""

    def indexes(gva, mode):
        if mode == "64":
            return gva >> 39 & 0x1FF, gva >> 30 & 0x1FF, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF
        if mode == "pae":
            return gva >> 21 & 0x1FF, gva >> 12 & 0x1FF
        return gva >> 22 & 0x3FF, gva >> 12 & 0x3FF
