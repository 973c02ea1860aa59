# SPDX-License-Identifier: GPL-2.0-only
"""Submissions: files, notebooks, and objects that are defined in a notebook's cells."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from kvmmmu_lab.check import check
from kvmmmu_lab.check.submission import read
from kvmmmu_lab.errors import InputError


def notebook(path, *cells):
    nbformat.write(new_notebook(cells=list(cells)), path)
    return path


def solution(source):
    return new_code_cell(source, metadata={"tags": ["solution"]})


def test_the_tagged_cells_of_a_notebook_are_the_submission(tmp_path):
    path = notebook(
        tmp_path / "mine.ipynb", new_markdown_cell("x = 0"), solution("a = 1"), new_code_cell("raise 1"), solution("b = a")
    )
    assert [unit.source for unit in read(path).units] == ["a = 1", "b = a"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("mine.txt", b"", "a .py file, or an .ipynb"),
        ("mine.ipynb", b"{", "a notebook"),
        ("mine.ipynb", b'{"cells": []}', "tagged 'solution'"),
        ("mine.ipynb", b"[]", "a notebook"),
        ("mine.py", b"\xff\xfe", "UTF-8"),
        ("mine.py", b"# coding: latin-0\n", "a coding cookie"),
        ("mine.py", b"#" * (1 << 21), "at most 1 MiB; the environment variable KVMMMU_LAB_SOURCE sets another limit"),
    ],
)
def test_other_files_are_refused(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=words):
        read(tmp_path / name)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="a readable file"):
        read(tmp_path / "mine.py")


def test_check_names_what_it_needs():
    with pytest.raises(InputError, match="one of .*rmap_add"):
        check("nothing")
    with pytest.raises(InputError, match=r"check\('rmap_add', ReverseMap\)"):
        check("rmap_add")
    with pytest.raises(InputError, match="a class or a function"):
        check("rmap_add", 5)
