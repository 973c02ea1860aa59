# SPDX-License-Identifier: GPL-2.0-only


class no_offset(shifts):
    """The offset is missing."""

    def split(gva, mode):
        return indexes(gva, mode)


class offset_of_ten_bits(shifts):
    """The offset has 10 bits."""

    def split(gva, mode):
        return *indexes(gva, mode), gva & 0x3FF
