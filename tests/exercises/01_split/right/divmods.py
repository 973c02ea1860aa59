# SPDX-License-Identifier: GPL-2.0-only
"""divmod takes fields off the lower end; a quadrant is a part of the guest's own index."""

WIDTHS = {"64": [12, 9, 9, 9, 9], "pae": [12, 9, 9, 2], "32": [12, 10, 10]}


def split(gva, mode):
    found = []
    for width in WIDTHS[mode]:
        gva, field = divmod(gva, 2**width)
        found.append(field)
    return tuple(reversed(found))


def quadrant(gva, level):
    directory, table, _ = split(gva, "32")
    return table // 512 if level == 1 else directory // 256
