# SPDX-License-Identifier: GPL-2.0-only
"""Divides with /: a float has 53 bits, so addresses of the upper half are rounded."""
# breaks: upper


def split(gva, mode):
    spans = {"64": (1 << 39, 1 << 30, 1 << 21, 1 << 12), "pae": (1 << 30, 1 << 21, 1 << 12), "32": (1 << 22, 1 << 12)}[mode]
    count = 1024 if mode == "32" else 512
    return (*(int(gva / span) % count for span in spans), gva % 4096)


def quadrant(gva, level):
    return gva >> 12 + 9 * level & 2**level - 1
