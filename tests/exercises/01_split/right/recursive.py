# SPDX-License-Identifier: GPL-2.0-only
"""Recursion over levels, with a class for the format."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Format:
    bits: int
    levels: int
    root_bits: int

    def indexes(self, page, level=1):
        if level == self.levels:
            return (page & ~(-1 << self.root_bits),)
        return (*self.indexes(page >> self.bits, level + 1), page & ~(-1 << self.bits))


FORMATS = {"64": Format(9, 4, 9), "pae": Format(9, 3, 2), "32": Format(10, 2, 10)}


def split(gva, mode):
    return (*FORMATS[mode].indexes(gva >> 12), gva & 4095)


def quadrant(gva, level):
    return gva >> 12 + 9 * level & 2**level - 1
