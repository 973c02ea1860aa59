# SPDX-License-Identifier: GPL-2.0-only
"""Admonitions, figures, code and formulas of Jupyter Book and Quarto."""

import pytest

from kvmmmu_lab.publish.directives import without_directives
from kvmmmu_lab.publish.html import markdown_html
from kvmmmu_lab.publish.section import BlockReader, sections

ALERT = '<div class="alert alert-%s">'


def converted(text):
    return [line for line in without_directives(text).split("\n") if line]


@pytest.mark.parametrize(
    "text, kind, lines",
    [
        ("```{note}\nThis is *it*.\n```", "info", ["**Note**", "This is *it*."]),
        (":::{warning} Be careful\n:class: x\nHot.\n:::", "warning", ["**Be careful**", "Hot."]),
        ("```{admonition} Title\nBody\n```", "info", ["**Title**", "Body"]),
        ('::: {.callout-note title="T"}\nBody\n:::', "info", ["**T**", "Body"]),
        ("::: {.callout-caution}\n\n## Heading\n\n### In it\n:::", "warning", ["**Heading**", "#### In it"]),
    ],
)
def test_admonitions_of_books_become_alerts(text, kind, lines):
    assert converted(f"before\n\n{text}\n\nafter") == ["before", ALERT % kind, *lines, "</div>", "after"]
    assert without_directives(without_directives(text)) == without_directives(text)
    (section,) = sections(text)
    assert not section.title and ALERT % kind in markdown_html(section.body)


def test_an_admonition_may_contain_admonitions_and_code():
    text = "````{tip}\nOuter\n```{danger}\nInner\n```\n```c\nint x;\n```\n````\n"
    assert converted(text) == [
        *(
            ALERT % "info",
            "**Tip**",
            "Outer",
            ALERT % "danger",
            "**Danger**",
            "Inner",
            "</div>",
            "```c",
            "int x;",
            "```",
            "</div>",
        )
    ]
    columns = ":::: {.columns}\n::: {.column}\n```{note}\na\n```\n:::\n::::"
    kinds = [block.kind for block in BlockReader().read(without_directives(columns))]
    assert kinds == ["columns", "column", "text", "end columns"]


def test_figures_code_and_formulas_of_myst():
    assert converted("```{figure} a b.png\n:name: f\n:alt: A walk\nThe caption.\n```") == [
        "![A walk](<a b.png>)",
        "The caption.",
    ]
    assert converted("```{code-block} c\n:linenos:\nint x;\n```") == ["````c", "int x;", "````"]
    assert converted("```{math}\n:label: e\nx = 1\n```") == [r"\begin{equation}\label{e}", "x = 1", r"\end{equation}"]
    assert converted("By {eq}`e` and {math}`x^2`.") == [r"By \eqref{e} and $x^2$."]


@pytest.mark.parametrize(
    "text",
    ["```\n:::{note}\nx\n:::\n```", "```{list-table}\n* - a\n```", "```{note}\nopen", "::: {.other}\nx\n:::", "```{r}\nx\n```"],
)
def test_what_is_no_box_stays_as_it_is(text):
    assert without_directives(text) == text


def test_attributes_of_headings_and_pauses_of_quarto():
    (section,) = sections('## Title $x_{1}$ {.smaller background="black"}\n\na\n\n. . .\n\nb')
    assert section.title == "Title $x_{1}$"
    assert [(block.text, block.fragment) for block in BlockReader().read(section.body)] == [("a", False), ("b", True)]
