# SPDX-License-Identifier: GPL-2.0-only
"""The metadata of a notebook: its own, or those of its front matter."""

import datetime

import pytest
from nbformat.v4 import new_raw_cell

from kvmmmu_lab.publish.metadata import Metadata, date_text, front_matter_cell, notebook_metadata
from kvmmmu_lab.publish.notices import Notices

from .books import book, code, text

QUARTO = """\
---
title: My talk
author:
  - name: A. Lecturer
    affiliation: Somewhere
  - B. Tutor
institute: Operating systems
date: 2026-11-28
format:
  revealjs:
    footer: Winter 2026
---
"""


def test_front_matter_is_a_raw_cell_as_quarto_has_it():
    found = notebook_metadata(book(new_raw_cell(QUARTO), text("## One")))
    expected = Metadata("My talk", author="A. Lecturer, B. Tutor", course="Operating systems", date="2026-11-28")
    assert found == expected.updated(Metadata(footer="Winter 2026"))
    assert found.byline == ["A. Lecturer, B. Tutor", "Operating systems", "2026-11-28"]


def test_a_notebook_has_metadata_of_its_own_and_front_matter_takes_precedence():
    notebook = book(new_raw_cell("---\ntitle: Front\n---"), text("## One"))
    notebook.metadata |= {"title": "Own", "authors": [{"name": "A. Lecturer"}], "lang": "de"}
    assert notebook_metadata(notebook) == Metadata("Front", author="A. Lecturer", lang="de")


def test_options_take_precedence_over_a_notebook():
    known = Metadata("Title", author="A").updated(Metadata(author="B", date="today"))
    assert known == Metadata("Title", author="B", date="today")


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        (new_raw_cell(QUARTO), 1),
        (text(QUARTO), 1),  # as MyST has it
        (text("---\n\nText\n\n---"), 0),
        (text("# Title"), 0),
        (new_raw_cell("title: no lines"), 0),
        (code("---\na: 1\n---"), 0),
    ],
)
def test_front_matter_is_the_first_cell_with_yaml_between_two_lines(cell, number):
    assert front_matter_cell(book(cell, new_raw_cell(QUARTO))) == number
    assert front_matter_cell(book(text(" "), cell)) == (number and 2)


@pytest.mark.parametrize("yaml", ["title: [", "a: b: c", "title: 2026-99-99"])
def test_front_matter_that_is_no_yaml_is_reported(yaml):
    notices = Notices()
    assert notebook_metadata(book(new_raw_cell(f"---\n{yaml}\n---")), notices) == Metadata()
    assert [notice.cell for notice in notices] == [1] and "YAML" in str(*notices)


@pytest.mark.parametrize("yaml", ["- a list", "just text", "title:", "title: {a: 1}", "author: [1, null, {x: y}]"])
def test_odd_front_matter_does_no_harm(yaml):
    assert notebook_metadata(book(new_raw_cell(f"---\n{yaml}\n---"))).title == ""


def test_today_is_the_date_of_the_export():
    assert date_text("today") == datetime.date.today().isoformat() and date_text("next week") == "next week"
