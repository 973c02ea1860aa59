# SPDX-License-Identifier: GPL-2.0-only


class floats(divmods):
    """Divides with /: a float has 53 bits, so addresses of the upper half are rounded."""

    def split(gva, mode):
        spans = {"64": (1 << 39, 1 << 30, 1 << 21, 1 << 12), "pae": (1 << 30, 1 << 21, 1 << 12), "32": (1 << 22, 1 << 12)}[mode]
        count = 1024 if mode == "32" else 512
        return (*(int(gva / span) % count for span in spans), gva % 4096)

    def quadrant(gva, level):
        return gva >> 12 + 9 * level & 2**level - 1


class lower_half_only(divmods):
    """Cuts the address to 47 bits first, as if there were no upper half."""

    def split(gva, mode):
        offset = gva & 0xFFF
        if mode == "64":
            gva &= (1 << 47) - 1
            return gva >> 39 & 0x1FF, gva >> 30 & 0x1FF, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF, offset
        if mode == "pae":
            return gva >> 30 & 3, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF, offset
        return gva >> 22 & 0x3FF, gva >> 12 & 0x3FF, offset

    def quadrant(gva, level):
        return gva >> 12 + 9 * level & 2**level - 1


class root_without_mask(divmods):
    """The root's index isn't masked: right as long as bits 48 to 63 are clear."""

    def split(gva, mode):
        offset = gva & 0xFFF
        if mode == "64":
            return gva >> 39, gva >> 30 & 0x1FF, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF, offset
        if mode == "pae":
            return gva >> 30 & 3, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF, offset
        return gva >> 22 & 0x3FF, gva >> 12 & 0x3FF, offset

    def quadrant(gva, level):
        return gva >> 12 + 9 * level & 2**level - 1


class signed(divmods):
    """Takes the address for a signed number and drops the sign, not the upper bits."""

    def split(gva, mode):
        offset = gva & 0xFFF
        if mode == "64":
            gva = (1 << 64) - gva if gva >> 63 else gva
            return gva >> 39 & 0x1FF, gva >> 30 & 0x1FF, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF, offset
        if mode == "pae":
            return gva >> 30 & 3, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF, offset
        return gva >> 22 & 0x3FF, gva >> 12 & 0x3FF, offset

    def quadrant(gva, level):
        return gva >> 12 + 9 * level & 2**level - 1
