# SPDX-License-Identifier: GPL-2.0-only
"""Lesson 0: its check question about faults asks about three situations."""

import re

from kvmmmu_lab.lessons import lesson_00 as lesson


def test_a_page_faults_again_only_after_a_change_that_the_host_performs():
    for seed in range(30):
        check = lesson.faults(seed)
        pages = int(re.search(r"accesses (\d) pages", check.question)[1])
        changed = 2 if "two of them" in check.question else 1
        noticed = "the host performs the write" in check.question
        assert check.measured().happened == pages + changed * noticed
        assert noticed == (seed % 3 == 1) and len(set(check.choices) & {1, pages, pages + changed, 2 * pages}) >= 3
    assert len({lesson.faults(seed).measured().why for seed in range(30)}) == 4
