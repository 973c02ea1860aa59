# SPDX-License-Identifier: GPL-2.0-only


class floats(shifts):
    """It divides floats, whose 53 bits round the addresses of the upper half."""

    def split(gva, mode):
        spans = {"64": (1 << 39, 1 << 30, 1 << 21, 1 << 12), "pae": (1 << 30, 1 << 21, 1 << 12), "32": (1 << 22, 1 << 12)}[mode]
        count = 1024 if mode == "32" else 512
        return *(int(gva / span) % count for span in spans), gva % 4096


class lower_half_only(shifts):
    """It cuts the address to 47 bits, as if there were no upper half."""

    def indexes(gva, mode):
        if mode == "64":
            gva &= (1 << 47) - 1
            return gva >> 39 & 0x1FF, gva >> 30 & 0x1FF, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF
        if mode == "pae":
            return gva >> 30 & 3, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF
        return gva >> 22 & 0x3FF, gva >> 12 & 0x3FF


class root_without_mask(shifts):
    """The root's index is not masked, which works while bits 48 to 63 are clear."""

    def indexes(gva, mode):
        if mode == "64":
            return gva >> 39, gva >> 30 & 0x1FF, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF
        if mode == "pae":
            return gva >> 30 & 3, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF
        return gva >> 22 & 0x3FF, gva >> 12 & 0x3FF


class signed(shifts):
    """It takes the absolute value of the address as a signed number."""

    def indexes(gva, mode):
        if mode == "64":
            gva = (1 << 64) - gva if gva >> 63 else gva
            return gva >> 39 & 0x1FF, gva >> 30 & 0x1FF, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF
        if mode == "pae":
            return gva >> 30 & 3, gva >> 21 & 0x1FF, gva >> 12 & 0x1FF
        return gva >> 22 & 0x3FF, gva >> 12 & 0x3FF
