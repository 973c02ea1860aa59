# SPDX-License-Identifier: GPL-2.0-only
"""Tables whose rows have more or fewer cells than the head."""

import re

import pytest

from kvmmmu_lab.files import read_text
from kvmmmu_lab.publish.editions import exported_text
from kvmmmu_lab.publish.execution import read_notebook
from kvmmmu_lab.publish.html import markdown_html
from kvmmmu_lab.publish.pipe_tables import with_even_rows
from kvmmmu_lab.publish.section import COMMENT
from kvmmmu_lab.publish.summary import summary
from kvmmmu_lab.workspace import course_root

from ..share import one_in


def rows(text):
    found = re.findall(r"<tr>(.*?)</tr>", markdown_html(text), re.DOTALL)
    return [
        [re.sub(r"<[^>]*>", "", cell) for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.DOTALL)] for row in found
    ]


@pytest.mark.parametrize(
    "line, cells",
    [
        ("| 1 |", ["1", ""]),
        ("| 1 | 2 | 3 |", ["1", "2 | 3"]),
        ("| `a|b` | 2 |", ["a|b", "2"]),
        (r"| `a\|b` | c \| d |", ["a|b", "c | d"]),
        ("| $|x|$ | 2 |", ["|x|", "2"]),
    ],
)
def test_each_row_has_as_many_cells_as_the_head(line, cells):
    shown = rows(f"| A | B |\n|:-:|---|\n{line}\n| last | row |\n\nafter")
    assert shown[1] == cells
    assert shown[0] == ["A", "B"] and shown[-1] == ["last", "row"]


def test_a_table_without_a_border():
    assert rows("a | b\n- | -\n1 | 2 | 3\n4 | 5") == [["a", "b"], ["1", "2 | 3"], ["4", "5"]]


@pytest.mark.parametrize("text", ["a | b\nc | d | e", "```\n|a|b|\n|-|-|\n|1|\n```", "| a |\n|---|---|\n| 1 |", "x || y"])
def test_what_is_no_table_stays_as_it_is(text):
    assert with_even_rows(text) == text


PLACES = {
    "an item": "- item\n  goes on:\n\n  {}\n  {}\n  {}\n  {}\n\n- next",
    "an item, without an empty line": "1. item\n   {}\n   {}\n   {}\n   {}",
    "the beginning of an item": "* {}\n  {}\n  {}\n  {}",
    "an item of an item": "- item\n    1. inner\n\n       {}\n       {}\n       {}\n       {}",
    "a quote": "> {}\n> {}\n> {}\n> {}",
    "a quote with text": "> words\n>\n> {}\n> {}\n> {}\n> {}",
    "a quote in an item": "- > words\n  >\n  > {}\n  > {}\n  > {}\n  > {}",
    "an item of a quote": "> - words\n>\n>   {}\n>   {}\n>   {}\n>   {}",
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "table",
    [
        ("| A | B |", "| --- | --: |", "| 1 | 2 |", "| `a|b` | 4 |"),
        ("| A | B |", "| --- | --- |", "| 1 |", "| 3 | 4 | 5 |"),
        ("A | B", "--- | ---", "1 | 2", "3 | 4"),
    ],
)
def test_a_table_in_a_list_or_a_quote(place, table):
    head, *shown = rows(PLACES[place].format(*table))
    assert head == ["A", "B"] and [len(row) for row in shown] == [2, 2]


@pytest.mark.parametrize(
    "text",
    [
        "- item\n\n      | a | b |\n      | - | - |\n      | 1 |",
        "    | a | b |\n    | - | - |\n    | 1 |",
        ">     | a | b |\n>     | - | - |\n>     | 1 |",
    ],
)
def test_a_table_in_indented_code_stays_as_it_is(text):
    assert with_even_rows(text) == text and rows(text) == []


SLIDE = re.compile(r"<!-- slide:(.*?)-->", re.DOTALL)

TEXTS = sorted([*course_root().glob("notebooks/*.ipynb"), *course_root().glob("exercises/*/*.ipynb")])
TEXTS += sorted(course_root().glob("exercises/*/README.md"))


@pytest.mark.parametrize("path", one_in(4, TEXTS, lambda path: f"{path.parent.name}-{path.stem}"))
def test_no_page_of_the_course_shows_a_table_as_text(path):
    if path.suffix == ".ipynb":
        texts = [cell.source for cell in read_notebook(path).cells if cell.cell_type == "markdown"]
    else:
        texts = [read_text(path)]
    for text in texts:
        page = COMMENT.sub("", exported_text(text, print, page=True))
        for shown in (page, *SLIDE.findall(text), summary(page)):
            assert not re.search(r"\| ?:?--", re.sub(r"<pre.*?</pre>", "", markdown_html(shown), flags=re.DOTALL))
