# SPDX-License-Identifier: GPL-2.0-only
"""The names in Gradescope's file of metadata are read as a YAML parser reads them."""

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from kvmmmu_lab.grade.gradescope_export import MOST_TEXT, Submitter, submitters


def test_submitters_of_one_and_of_several():
    text = """---
submission_101:
  :submitters:
  - :name: Ada Lovelace
    :sid: '0017'
    :email: ada@example.edu
  :created_at: 2026-11-02 17:10:39.331560000 Z
  :score: 3.5
  :status: processed
  :results:
    tests:
    - name: 'a test'
      output: |
        submission_9:
          :submitters:
          - :name: Mallory
  :history:
  - :id: 5
    :submitters:
    - :name: Mallory
submission_102:
  :created_at: 2026-11-02
  :submitters:
  - :id: 7
    :name: Bob
    :sid:
    :email: ~
  - :name: "Zo\\xEB \\"Z\\" \\u2028\\
      \\ X"
    :email: zoe@example.edu
submission_103:
  :submitters: []
submission_104:
"""
    assert submitters(text.encode()) == {
        "submission_101": [Submitter("Ada Lovelace", "0017", "ada@example.edu")],
        "submission_102": [Submitter("Bob"), Submitter('Zoë "Z" \u2028 X', "", "zoe@example.edu")],
    }


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Ada", "Ada"),
        ("'O''Hara: <script>'", "O'Hara: <script>"),
        ('"a\\nb\\e[2J"', "a\nb\x1b[2J"),
        ("|-\n      two\n      lines", "two\nlines"),
        ("!binary |-\n      Wm/Dqw==", "Zoë"),
        ("!binary |-\n      /w==", "\\xff"),
        ("a long name\n      that goes on", "a long name that goes on"),
        ('"\\ud800"', "\\ud800"),
        ("'unfinished", "'unfinished"),
        ("null", ""),
    ],
)
def test_each_way_in_which_a_name_is_written(written, name):
    text = f"submission_1:\n  :submitters:\n  - :name: {written}\n    :sid: '1'\n"
    assert submitters(text.encode()) == {"submission_1": [Submitter(name, "1")]}
    assert submitters(text.replace("\n", "\r\n").encode()) == {"submission_1": [Submitter(name, "1")]}


def test_the_key_tells_learners_of_one_name_apart():
    assert Submitter("Wei", "1", "a@b").key == "Wei (1)"
    assert Submitter("Wei", "", "a@b").key == "Wei (a@b)"
    assert [Submitter("Wei").key, Submitter(sid="1").key, Submitter().key] == ["Wei", "1", ""]


def test_more_text_about_submitters_than_anybody_needs_is_not_looked_at():
    text = b"submission_1:\n  :submitters:\n  - :name: " + b"a" * MOST_TEXT + b"\n"
    assert submitters(text) == {"submission_1": []}


# YAML knows no other control characters, and spaces around a name mean nothing
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x85\u2028\u2029\ufeff"), max_size=100).map(
    str.strip
)
people = st.lists(st.tuples(words, words, words), max_size=3)


@given(
    st.dictionaries(st.from_regex(r"submission_\d{1,9}", fullmatch=True), people, max_size=3),
    st.booleans(),
    st.integers(20, 90),
)
@settings(max_examples=300, deadline=None)
def test_names_are_read_as_they_were_written(given_people, unicode, width):
    data = {
        submission: {
            ":submitters": [{":name": name, ":sid": sid, ":email": email} for name, sid, email in those],
            ":results": {"tests": [{":name": "other"}]},
        }
        for submission, those in given_people.items()
    }
    text = yaml.safe_dump(data, allow_unicode=unicode, width=width, sort_keys=False)
    found = submitters(text.encode())
    assert {submission: [(one.name, one.sid, one.email) for one in those] for submission, those in found.items()} == {
        submission: those for submission, those in given_people.items() if those
    }


@given(st.binary(max_size=200) | st.text("submission_1:-' \"\n|>!~name\\x", max_size=200).map(str.encode))
@settings(max_examples=300, deadline=None)
def test_anything_is_read_without_an_exception(content):
    head = b"submission_1:\n  :submitters:\n  - :name: "
    for text in (content, head + content):
        for those in submitters(text).values():
            assert all(isinstance(one, Submitter) for one in those)
