# SPDX-License-Identifier: GPL-2.0-only
import functools
import re
from pathlib import Path

import nbformat
import pytest

from kvmmmu_lab.player.page import read_film

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


@pytest.fixture(scope="session")
def ran(run_notebook):
    """A function that returns a lesson, by name, with its outputs; each lesson runs once."""

    @functools.cache
    def run(name):
        return run_notebook(nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4), NOTEBOOKS)

    return run


@pytest.fixture(scope="session")
def text_of():
    """A function that returns the text of an output. A film's text lists every step, also those that it folds."""

    def text(output):
        data = output.get("data", {})
        plain = data.get("text/plain", "")
        if (film := read_film(data.get("text/html", ""))) is None:
            return plain
        words = [step["words"] for chapter in film.data["chapters"] for step in chapter["steps"]]
        return "\n".join([*words, re.sub(r"^ *\d+(-\d+)?  .*\n", "", plain, flags=re.MULTILINE)])

    return text
