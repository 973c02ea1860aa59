# SPDX-License-Identifier: GPL-2.0-only
"""Which names every system can have, and which are one file on some of them."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvmmmu_lab.grade.portable_name import as_text, is_portable, same_file


@pytest.mark.parametrize("path", [("a.py",), ("a", "b c", "é.py"), ("console.py",), ("a" * 255,), ("-",), ("日本",)])
def test_usual_names_are_portable(path):
    assert is_portable(path)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "a/b", "a\\b", "c:", "a:b", "<b>", "a|b", "a?", "*", '"', "con", "NUL.py", "com1.tar.gz", "a.", "a ", "a\n",
     "\x00", "\x7f", "\u202e", "\ud800", "\udcff", "a" * 256, "é" * 128],
)  # fmt: skip
def test_other_names_are_not(name):
    assert not is_portable((name,)) and not is_portable(("folder", name, "a.py"))


def test_no_name_at_all_is_not_portable():
    assert not is_portable(())


@pytest.mark.parametrize(("one", "other"), [("A.py", "a.PY"), ("\xe9", "e\u0301"), ("ß", "SS"), ("\u212b", "å")])
def test_names_that_are_one_file_on_some_systems(one, other):
    assert same_file((one,)) == same_file((other,))


def test_other_names_are_different_files():
    assert same_file(("a",)) != same_file(("b",)) and same_file(("a", "b")) != same_file(("a/b",))


@pytest.mark.skipif(os.name == "nt", reason="names are no bytes on Windows")
@given(st.binary(min_size=1, max_size=50))
def test_every_name_becomes_text_that_can_be_stored(name):
    text = as_text(os.fsdecode(name))
    assert text.encode()
    assert text == name.decode(errors="backslashreplace")
