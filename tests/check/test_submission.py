# SPDX-License-Identifier: GPL-2.0-only
"""Submissions: files, notebooks, and objects that are defined in a notebook's cells."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from kvmmmu_lab.check.sandbox.forkserver import ForkServer
from kvmmmu_lab.check.submission import Submission, read, submitted_file
from kvmmmu_lab.errors import InputError

from ..exercises.checking import EXERCISES, ROOT, judge
from .styles import STYLES


@pytest.fixture(scope="module")
def server():
    with ForkServer() as shared:
        yield shared


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
    with pytest.raises(InputError, match="no such file"):
        read(tmp_path / "mine.py")


# Files as Python reads them

MASK = "NINE = 511\n"


def solved(helper=""):
    return helper + MASK + STYLES["functions"][1]["mine.py"]


@pytest.mark.parametrize(
    "content",
    [
        solved().encode("utf-8-sig"),
        ("# -*- coding: latin-1 -*-\nNAME = 'é'\nassert ord(NAME) == 0xE9\n" + solved()).encode("latin-1"),
        ("#!/usr/bin/env python3\n# vim: set fileencoding=cp1252 :\nNAME = '–'\n" + solved()).encode("cp1252"),
        solved().replace("\n", "\r\n").encode(),
        solved().replace("\n", "\r").encode(),
        ("A = '\x0c\u2028\x85\x1c'\nassert len(A) == 4\n\x0c" + solved()).encode(),
        ("Größe = 中 = 511\n" + solved().replace("NINE", "Größe")).encode(),
        solved().rstrip().encode(),
        solved("X = 1 \\\n% 2\n").encode(),
    ],
    ids=["bom", "latin-1", "cookie in line 2", "CRLF", "CR", "form feed and U+2028", "names", "no last newline", "percent"],
)  # fmt: skip
def test_a_file_is_read_as_python_reads_it(content, tmp_path, server):
    (tmp_path / "mine.py").write_bytes(content)
    report = judge("01_split", tmp_path / "mine.py", server)
    assert report.passed, str(report)


def test_line_numbers_are_those_of_python(tmp_path, server):
    source = "A = '\u2028\x0c\x85'\r\n\x0c\r\ndef split(gva, mode):\r\n    return 1 / 0\r\ndef quadrant(a, b): pass\r\n"
    (tmp_path / "mine.py").write_bytes(source.encode())
    assert "in split(), line 4 (return 1 / 0)" in " ".join(str(judge("01_split", tmp_path / "mine.py", server)).split())


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"helper.py": "def low(g):\n    return 1 / 0\n"}, "in low(), helper.py, line 2 (return 1 / 0)"),
        ({"helper.py": "x = 1\nlow = (\n"}, "raises SyntaxError in helper.py, line 2 (low = ()"),
        ({"helper.py": "while True: pass\n"}, "was stopped in helper.py, line 1 (while True: pass): the limit is 0.3 seconds"),
        ({}, "No module named 'helper'"),
    ],
)
def test_a_failure_in_a_helper_names_its_line(files, words, tmp_path, server, monkeypatch):
    monkeypatch.setenv("KVMMMU_LAB_TIME", "0.1")
    for name, text in {**files, "mine.py": "from helper import low\nsplit = quadrant = lambda g, m: low(g)\n"}.items():
        (tmp_path / name).write_text(text)
    said = " ".join(str(judge("01_split", tmp_path / "mine.py", server)).split())
    assert words in said, said
    assert ("taken along: helper.py" in said) == bool(files)


def test_a_failure_in_a_cell_names_the_cell_and_its_line(tmp_path, server):
    first, second = solution("# 1\nZERO = 0"), solution("%%time\ndef split(g, m):\n    return 1 / ZERO\nquadrant = split")
    said = str(judge("01_split", notebook(tmp_path / "mine.ipynb", first, new_code_cell("x"), second), server))
    assert "in split(), code cell 3, line 3 (return 1 / ZERO)" in " ".join(said.split()), said
    said = str(judge("01_split", notebook(tmp_path / "mine.ipynb", solution("x = 1\n!ls\nx = (")), server))
    assert "raises SyntaxError in your cell, line 3 (x = ()" in " ".join(said.split()), said


MAGIC = [
    "from __future__ import annotations\n%load_ext autoreload\n%autoreload 2\n!pip install numpy\nimport numpy?",
    "%%writefile written.py\nNINE = 511",
    "from written import NINE\n%run -i beside 7\n%time HALF = 3\n%timeit split(1)\nfiles = !ls\nassert files == [] and HALF",
    "%%capture out\nprint('quiet')\n%matplotlib inline\ndef late(x: Unknown): return ARGUMENT",
    "out.show(); import asyncio\nawait asyncio.sleep(0)\nfive = %time 2 + 3\nassert five == 5\ndisplay(five);",
    "get_ipython().run_line_magic('matplotlib', 'inline')\nget_ipython().register_magics(1)",
]  # fmt: skip


def test_magics_are_harmless_and_those_that_execute_python_do(tmp_path, server):
    (tmp_path / "beside.py").write_text("import sys\nARGUMENT = sys.argv[1]\nassert ARGUMENT == '7'\n")
    cells = [solution(text) for text in (*MAGIC, STYLES["functions"][1]["mine.py"].partition("\n")[2])]
    report = judge("01_split", notebook(tmp_path / "mine.ipynb", *cells), server)
    assert report.passed and report.printed == "quiet\n5\n", str(report)
    assert "not executed during a check: !pip install numpy (code cell 1, line 4)" in report.as_data()["notes"]


def test_only_what_is_used_is_taken_along(tmp_path, monkeypatch):
    for name in ("used.py", "unused.py", "table.csv", "other.csv", "kvmmmu_lab.py", "re.py"):
        (tmp_path / name).write_text("1")
    (tmp_path / "mine.py").write_text("import used, re, kvmmmu_lab, missing\nopen('table.csv'), '../x.py', '/etc/passwd.txt'\n")
    given = read(tmp_path / "mine.py")
    assert sorted(given.files) == ["table.csv", "used.py"] and given.notes == ("taken along: table.csv, used.py",)
    monkeypatch.setenv("KVMMMU_LAB_HELPERS", "0.000001")
    (_, note) = read(tmp_path / "mine.py").notes
    assert note.startswith("table.csv is not taken along: ") and "KVMMMU_LAB_HELPERS sets another limit" in note


def test_the_tests_of_an_exercise_are_not_taken_along(tmp_path):
    source = ROOT / "exercises" / "01_split"
    assert read(source / "split.py").files == {}
    (tmp_path / "link.py").symlink_to(source / "test_split.py")
    (tmp_path / "mine.py").write_text("import link\n")
    assert read(tmp_path / "mine.py").files == {}


def test_an_edited_notebook_beside_an_untouched_stub_is_found_whatever_the_line_ends(tmp_path):
    exercise = EXERCISES["01_split"]
    stub = (exercise.folder / "split.py").read_bytes()
    book = (exercise.folder / "split.ipynb").read_text("utf-8")
    for content in (stub, stub.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + stub, stub + b"\n\n# later\n"):
        (tmp_path / "split.py").write_bytes(content)
        for text in (book, book.replace("\\n", "\\r\\n")):
            (tmp_path / "split.ipynb").write_text(text, "utf-8")
            assert submitted_file(exercise, tmp_path).name == "split.py"
            (tmp_path / "split.ipynb").write_text(text.replace("write quadrant", "written"), "utf-8")
            assert submitted_file(exercise, tmp_path).name == "split.ipynb"
    (tmp_path / "split.py").write_bytes(stub + b"x = 1\n")
    assert submitted_file(exercise, tmp_path).name == "split.py"


SLOW = "for _ in range(1 << 40): pass"


@pytest.mark.parametrize(
    ("variable", "value", "source", "words"),
    [
        ("KVMMMU_LAB_MEMORY", "64", "x = bytearray(1 << 27)", "more memory than is allowed: 64 MiB; the environment variable"),
        ("KVMMMU_LAB_TIME", "0.1", SLOW, "the limit is 0.3 seconds while it was being loaded; KVMMMU_LAB_TIME"),
        ("KVMMMU_LAB_OUTPUT", "0.5", "print('x' * 1_000_000)\nwhile True: pass", "printed more than 0.5 MiB; the environment"),
    ],
)
def test_a_limit_that_struck_is_named_with_its_value_and_how_to_set_it(variable, value, source, words, server, monkeypatch):
    monkeypatch.setenv(variable, value)
    said = " ".join(str(judge("01_split", source, server)).split())
    assert words in said, said


def test_a_file_that_never_ends_to_load_is_told_once_and_is_offered_no_more_time(server, monkeypatch):
    monkeypatch.setenv("KVMMMU_LAB_TIME", "0.1")
    report = judge("01_split", "while True: pass", server)
    first, *others = report.verdicts
    assert "in line 1 (while True: pass): the limit is 0.3 seconds while it was being loaded; this" in first.failure.sentence
    assert first.failure.sentence.endswith("this loop never ends") and "KVMMMU_LAB_TIME" not in str(report)
    assert {verdict.status for verdict in others} == {"timed out"}
    assert sum(verdict.failure.kind == "untried" for verdict in others) >= len(others) - 1  # two workers load it at once


@pytest.mark.parametrize(
    ("loop", "endless"),
    [
        ("while True: pass", True),
        ("while 1:\n    n = 1\n    n += 1", True),
        ("while True:\n    if n: continue", True),
        ("while n: pass", False),
        ("while 0: pass", False),
        ("while True:\n    if n: break", False),
        ("while True: f()", False),
        ("for n in m: pass", False),
    ],
)
def test_only_a_loop_without_a_way_out_is_called_endless(loop, endless):
    assert Submission(f"n = 0\n{loop}\n", "mine.py").endless("mine.py", 2) is endless
    assert not Submission(f"n = 0\n{loop}\n", "mine.py").endless("mine.py", 1)
    assert not Submission(loop, "mine.py").endless("other.py", 1)


def test_a_limit_that_makes_no_sense_is_refused(server, monkeypatch):
    monkeypatch.setenv("KVMMMU_LAB_MEMORY", "much")
    with pytest.raises(InputError, match=r"KVMMMU_LAB_MEMORY is 'much'; expected a number of MiB above 0, such as 512"):
        judge("01_split", "x = 1", server)


def test_a_name_that_only_the_main_block_defines_is_mentioned(tmp_path):
    source = "def split(g, m):\n    return NINE + own\n\nif __name__ == '__main__':\n    own, NINE = 1, 511\nown = 2\n"
    (tmp_path / "mine.py").write_text(source)
    (note,) = read(tmp_path / "mine.py").notes
    assert note.startswith("your code uses NINE, which only the block under if __name__ ==")
    (tmp_path / "mine.py").write_text(source.replace("own = 2", "own = NINE = 2"))
    assert read(tmp_path / "mine.py").notes == ()
