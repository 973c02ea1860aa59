# SPDX-License-Identifier: GPL-2.0-only
"""The notebooks of the course as cells of code."""

import nbformat

from kvmmmu_lab.workspace import course_root


def _found(pattern):
    return sorted(path.relative_to(course_root()).as_posix() for path in course_root().glob(pattern))


LESSONS, EXERCISES = _found("notebooks/*.ipynb"), _found("exercises/*/*.ipynb")
"""Their paths in the course."""


def cells_of(notebook):
    """Return the code of each cell that a kernel runs."""
    book = nbformat.read(course_root() / notebook, 4)
    return [cell.source for cell in book.cells if cell.cell_type == "code"]
