# SPDX-License-Identifier: GPL-2.0-only
"""A small course for tests of the live course."""

import shutil

from kvmmmu_lab.workspace import course_root

from ..publish.books import code, saved, text

FIRST = [
    text("# Lesson 0: The first"),
    code("from kvmmmu_lab import open_guest\nvm = open_guest('lin64_A').vm()\nvm.access(0x400000, user=True)"),
    code("from kvmmmu_lab.labs import hierarchy\nhierarchy(vm, 0x400000)"),
]
SECOND = [text("# Lesson 6: The second"), code("6 * 7")]
THIRD = [text("# Lesson 7: The third"), code("7 * 8")]


def small_course(root):
    """Write the course to a folder; return it."""
    (root / "notebooks").mkdir(parents=True)
    saved(root / "notebooks", *FIRST, name="00_first.ipynb")
    saved(root / "notebooks", *SECOND, name="06_second.ipynb")
    saved(root / "notebooks", *THIRD, name="07_third.ipynb")
    shutil.copytree(course_root() / "exercises" / "01_split", root / "exercises" / "01_split")
    return root
