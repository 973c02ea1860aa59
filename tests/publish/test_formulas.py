# SPDX-License-Identifier: GPL-2.0-only
import re

import pytest

from kvmmmu_lab.publish.formulas import formulas, with_formulas
from kvmmmu_lab.publish.html import markdown_html


def found(text):
    return [(formula.tex, formula.display) for formula in formulas(text)]


def shown(text):
    """The formulas in the HTML of a Markdown text."""
    return re.findall(r'<span class="math" data-display="(?:true|false)">(.*?)</span>', markdown_html(text), re.DOTALL)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("So $x^2$ and $$y$$.", [("x^2", False), ("y", True)]),
        (r"As \\(a+b\\) and \\[c\\]", [("a+b", False), ("c", True)]),
        (r"as \(a_1\) and \[\frac{1}{2}\]", [("a_1", False), (r"\frac{1}{2}", True)]),
        ("\\begin{align}\n[n] &= 1\n\\end{align}", [("\\begin{align}\n[n] &= 1\n\\end{align}", True)]),
        (r"\begin{a}\begin{a}x\end{a}\end{a}", [(r"\begin{a}\begin{a}x\end{a}\end{a}", True)]),
        (r"$\text{for $x$ and }y$", [(r"\text{for $x$ and }y", False)]),
        (r"$\{a\}$, $n$th and 3$\times$4", [(r"\{a\}", False), ("n", False), (r"\times", False)]),
        ("> $$a\n> b$$", [("a\nb", True)]),
        (r"see \eqref{eq:late}", [(r"\eqref{eq:late}", False)]),
        (r"$\frac{1$", [(r"\frac{1", False)]),
        ("It costs $10. `$x$` is code, $y$ isn't", [("y", False)]),
        ("$\\text{``$a$''}$", [("\\text{``$a$''}", False)]),
    ],
)
def test_formulas_as_jupyter_s_users_write_them(text, expected):
    assert found(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "It costs $5 and $6, or US$ 5 and US$ 6.",
        "From $10 to $20.",
        r"\$x\$ and \\$",
        "One $ and, in the next paragraph,\n\nanother $.",
        "`$x$` and ``a ` $y$``",
        "```\n$x$\n```",
        "- ~~~\n  $x$\n  ~~~",
        r"See \[1\], \(as said\), \[below\].",
        "$$$$",
        r"\begin{align} without an end",
    ],
)
def test_what_is_no_formula(text):
    assert not found(text) and not shown(text)


def test_markdown_does_not_see_what_is_in_a_formula():
    assert shown("$a_1 * b_2$ and $c_3 * d_4$") == ["a_1 * b_2", "c_3 * d_4"]
    assert shown("| a | b |\n|---|---|\n| $x|y$ | $<z$ |") == ["x|y", "&lt;z"]
    assert shown("## Head $x$\n\n- item\n  $$\n  a \\\\\n  - b\n  $$") == ["x", "a \\\\\n  - b"]


def test_in_code_and_attributes_a_formula_stays_as_it_is_written():
    assert not shown("    indented $x$ code") and "$x$" in markdown_html("    indented $x$ code")
    assert 'alt="the graph of $x^2$"' in markdown_html("![the graph of $x^2$](data:image/png;base64,AAAA)")


def test_formulas_in_footnotes():
    assert shown("Text[^1].\n\n[^1]: where $x_1$ counts.") == ["x_1"]


def test_formulas_in_html_outputs():
    said = with_formulas("<table><td>$5</td><td>$6</td><td>$x &lt; 1$</td></table><pre>$y$</pre>")
    assert said.count('class="math"') == 1 and ">x &lt; 1</span>" in said and "<td>$5</td>" in said
