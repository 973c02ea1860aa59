# SPDX-License-Identifier: GPL-2.0-only


class levels_mixed_up(shifts):
    """The two levels are swapped."""

    def quadrant(gva, level):
        return gva >> 30 & 3 if level == 1 else gva >> 21 & 1


class quadrant_by_page(shifts):
    """At level 1 the quadrant is that of even and odd pages, not of the two halves."""

    def quadrant(gva, level):
        return gva >> 12 & 1 if level == 1 else gva >> 30 & 3


class quadrant_of_four_at_level_1(shifts):
    """At level 1 it answers one of four quadrants."""

    def quadrant(gva, level):
        return gva >> 21 & 3 if level == 1 else gva >> 30 & 3


class quadrant_of_the_directory_index(shifts):
    """At level 1 it answers the lowest bit of the directory's index."""

    def quadrant(gva, level):
        return gva >> 22 & 1 if level == 1 else gva >> 30 & 3
