# SPDX-License-Identifier: GPL-2.0-only


class directory_has_two(shifts):
    """A directory has only two quadrants, like a page table."""

    def quadrant(gva, level):
        return gva >> 21 & 1 if level == 1 else gva >> 31 & 1


class quadrant_by_shadow_size(shifts):
    """At level 2 a quadrant has 512 MiB instead of 1 GiB."""

    def quadrant(gva, level):
        return gva >> 21 & 1 if level == 1 else gva >> 29 & 3


class quadrant_ignores_level(shifts):
    """It ignores the level, and always answers for level 1."""

    def quadrant(gva, level):
        return gva >> 21 & 1


class quadrant_modulo_four_of_index(shifts):
    """At level 2 it answers the directory index modulo 4."""

    def quadrant(gva, level):
        return gva >> 21 & 1 if level == 1 else (gva >> 22) % 4
