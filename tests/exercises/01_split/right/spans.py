# SPDX-License-Identifier: GPL-2.0-only
"""The bytes that an entry covers, 512 GiB, 1 GiB, 2 MiB or 4 KiB: the index is the piece within the next larger one."""

from itertools import pairwise

KB, MB, GB = 1 << 10, 1 << 20, 1 << 30
SPANS = {
    "64": (256 << 40, 512 * GB, GB, 2 * MB, 4 * KB, 1),
    "pae": (4 * GB, GB, 2 * MB, 4 * KB, 1),
    "32": (4 * GB, 4 * MB, 4 * KB, 1),
}


def split(gva, mode):
    answer, spans = [], SPANS[mode]
    for whole, piece in pairwise(spans):
        answer.append(gva % whole // piece)
    return answer


def quadrant(gva, level):
    covered = 512 * 4 * KB if level == 1 else 512 * 2 * MB
    return gva // covered % (2 if level == 1 else 4)
