# SPDX-License-Identifier: GPL-2.0-only
"""Headings and thematic breaks divide the Markdown of a cell into sections."""

import pytest

from kvmmmu_lab.publish.section import Block, BlockReader, Section, sections, split_heading


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# One\n\na\n\n## Two\n\nb", [Section("One", 1, "a"), Section("Two", 2, "b")]),
        ("One\n===\n\na", [Section("One", 1, "a")]),
        ("a\n\n---\n\nb", [Section(body="a"), Section(body="b", rule=True)]),
        ("a\n\n***", [Section(body="a"), Section(rule=True)]),
        ("---\n\n## One #", [Section("One", 2)]),
        ("#### Four\n\n- a\n\n  # in an item", [Section(body="#### Four\n\n- a\n\n  # in an item")]),
        ("```\n# no\n---\n```", [Section(body="```\n# no\n---\n```")]),
        ("$$\na\n=\nb\n$$", [Section(body="$$\na\n=\nb\n$$")]),
        ("\\begin{align}\na\n---\n\\end{align}", [Section(body="\\begin{align}\na\n---\n\\end{align}")]),
        ("## `a` and $b_1$", [Section("`a` and $b_1$", 2)]),
        ("", [Section()]),
    ],
)
def test_headings_and_thematic_breaks_begin_sections(text, expected):
    assert sections(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<!-- licence -->\n<!-- slide:\n- a\n\n- b\n-->\n# One\n\nLong.", [Section("One", 1, "Long.", "- a\n\n- b")]),
        ("# One\n\nLong.\n<!-- slide: -->", [Section("One", 1, "Long.", "")]),
        ("# One\n\na\n\n# Two\n\nb <!-- slide: c -->", [Section("One", 1, "a"), Section("Two", 1, "b", "c")]),
        ("Write `<!-- slide: a -->`.", [Section(body="Write `<!-- slide: a -->`.")]),
        ("<!-- # no\n\n---\n-->\na", [Section(body="a")]),
    ],
)
def test_a_slide_comment_belongs_to_the_section_in_which_it_stands(text, expected):
    assert sections(text) == expected


def test_plain_text_has_no_comments_and_is_split_from_its_heading():
    assert split_heading("<!-- licence -->\n## Who fills the *hole*?\n\nThe last.") == ("Who fills the *hole*?", 2, "The last.")
    assert split_heading("No heading.") == ("", 0, "No heading.")


COMMENTS = """\
<!-- columns -->
left

### A heading of level 3 stays in the column

<!-- column 40% -->
right
<!-- end columns -->

after"""

FENCES = """\
:::: {.columns}

::: {.column}
left

### A heading of level 3 stays in the column
:::

::: {.column width="40%"}
right
:::

::::

after"""


@pytest.mark.parametrize("text", [COMMENTS, FENCES])
def test_columns_are_marked_with_comments_or_fenced_divs(text):
    (section,) = sections(text)
    blocks = [block for block in BlockReader().read(section.body)]
    assert [block for block in blocks if block.kind != "column" or block.width] == [
        Block("columns"),
        Block("text", "left\n\n### A heading of level 3 stays in the column"),
        Block("column", width=40),
        Block("text", "right"),
        Block("end columns"),
        Block("text", "after"),
    ]


def test_a_heading_of_level_2_ends_columns():
    assert [section.title for section in sections("<!-- columns -->\na\n\n## Two\n\nb")] == ["", "Two"]


def test_lists_are_incremental_after_a_comment_or_in_a_fenced_div():
    blocks = BlockReader().read(
        "- a\n\n<!-- incremental -->\n- b\n\n<!-- end incremental -->\n- c\n\n::: incremental\n- d\n:::"
    )
    assert [(block.text, block.incremental) for block in blocks] == [
        ("- a", False),
        ("- b", True),
        ("- c", False),
        ("- d", True),
    ]


def test_a_fenced_div_begins_in_one_cell_and_ends_in_another():
    reader = BlockReader()
    kinds = [
        [block.kind for block in reader.read(text)]
        for text in (":::: {.columns}\n::: {.column}", ":::\n::: {.column}\na", ":::\n::::")
    ]
    assert kinds == [["columns", "column"], ["column", "text"], ["end columns"]]


@pytest.mark.parametrize("text", ["::: {note}\nkept\n:::", ":::", "```\n<!-- columns -->\n::: {.columns}\n```", "a ::: b"])
def test_other_fences_and_code_stay_as_they_are(text):
    assert BlockReader().read(text) == [Block("text", text)]
