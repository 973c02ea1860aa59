# SPDX-License-Identifier: GPL-2.0-only
"""Submissions: files, notebooks, and objects that are defined in a notebook's cells."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from kvmmmu_lab.check import check
from kvmmmu_lab.check.notebook import source_of
from kvmmmu_lab.check.submission import read
from kvmmmu_lab.errors import InputError
from kvmmmu_lab.mmu.bits import PRESENT, WRITABLE


def notebook(path, *cells):
    nbformat.write(new_notebook(cells=list(cells)), path)
    return path


def solution(source):
    return new_code_cell(source, metadata={"tags": ["solution"]})


def test_the_tagged_cells_of_a_notebook_are_the_submission(tmp_path):
    path = notebook(
        tmp_path / "mine.ipynb",
        new_markdown_cell("x = 0"), solution("%load_ext x\na = 1"), new_code_cell("raise 1"), solution("b = a"),
    )  # fmt: skip
    scope = {}
    exec(read(path).source, scope)
    assert (scope["a"], scope["b"]) == (1, 1)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("mine.txt", b"", "a .py file, or an .ipynb"),
        ("mine.ipynb", b"{", "a notebook"),
        ("mine.ipynb", b'{"cells": []}', "tagged 'solution'"),
        ("mine.ipynb", b"[]", "a notebook"),
        ("mine.py", b"\xff\xfe", "UTF-8"),
        ("mine.py", b"#" * (1 << 21), "at most 1 MiB"),
    ],
)
def test_other_files_are_refused(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=words):
        read(tmp_path / name)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="a readable file"):
        read(tmp_path / "mine.py")


# These stand for functions and classes that were defined in cells of a notebook

LIMIT = 4


def counted(entry):
    return entry & (PRESENT | WRITABLE) == PRESENT | WRITABLE


class Base:
    limit = LIMIT


class Mine(Base):
    def add(self, entry):
        return counted(entry) and isinstance(self, Mine)


def test_the_source_of_an_object_contains_what_it_uses(monkeypatch):
    for thing in (counted, Base, Mine):
        monkeypatch.setattr(thing, "__module__", "__main__")
    scope = {"__name__": "elsewhere"}
    exec(source_of({"ReverseMap": Mine}), scope)
    made = scope["ReverseMap"]()
    assert made.add(3) is True and made.add(1) is False and made.limit == 4


def test_check_names_what_it_needs():
    with pytest.raises(InputError, match="one of .*rmap_add"):
        check("nothing")
    with pytest.raises(InputError, match=r"check\('rmap_add', ReverseMap\)"):
        check("rmap_add")
    with pytest.raises(InputError, match="a class or a function"):
        check("rmap_add", 5)
