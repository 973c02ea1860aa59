# SPDX-License-Identifier: GPL-2.0-only
import functools
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


@pytest.fixture(scope="session")
def ran(run_notebook):
    """A function that returns a lesson, by name, with its outputs; each lesson runs once."""

    @functools.cache
    def run(name):
        return run_notebook(nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4), NOTEBOOKS)

    return run
