# SPDX-License-Identifier: GPL-2.0-only
"""Formulas, diagrams and composition at export, in Chromium."""

import html
import re

import pytest

from kvmmmu_lab.publish import typesetting
from kvmmmu_lab.publish.deck import deck
from kvmmmu_lab.publish.html import markdown_html
from kvmmmu_lab.publish.notices import Notices
from kvmmmu_lab.publish.outputs import chart_html
from kvmmmu_lab.publish.typesetting import BEGIN, END, SCRIPTS, Typesetter

from ..publish.books import saved, text

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def typesetter(browser):
    """One browser for all pages. (`browser` skips the tests where there is none.)"""
    with Typesetter() as typesetter:
        yield typesetter


def page(inside):
    return f"<!doctype html><html><head><title>t</title></head><body><main>{BEGIN}{inside}{END}</main>{SCRIPTS}</body></html>"


def test_several_pages_go_through_one_browser(typesetter):
    for number in range(3):
        made = typesetter.page(page(f'<p>So <span class="math" data-display="false">x^{number}</span></p>'), Notices())
        assert made.count("<svg") == 1 and f'data-tex="x^{number}"' in made and "<script" not in made and BEGIN not in made
    assert not typesetter.postponed


def typeset(typesetter, *cells):
    """Typeset a page of Markdown cells; return its formulas as {TeX: text that a screen reader finds}, and the notices."""
    notices = Notices()
    inside = "".join(f'<div data-cell="{number}">{markdown_html(cell)}</div>' for number, cell in enumerate(cells, 1))
    made = typesetter.page(page(inside), notices)
    ids = re.findall(r'\bid="([^"]*)"', made)
    assert len(ids) == len(set(ids)), "ids are unique"
    found = re.split(r'<span class="math[^"]*" data-display="[a-z]*" data-tex="', made)[1:]
    texts = {}
    for one in found:
        tex, _, rest = one.partition('"')
        spoken = re.search(r"<math.*?</math>", rest, re.DOTALL)
        assert spoken is None or "<svg" in rest
        texts[html.unescape(tex)] = spoken and html.unescape(re.sub(r"<[^>]+>", "", spoken[0]))
    return texts, list(map(str, notices))


def test_formulas_of_all_kinds(typesetter):
    texts, notices = typeset(
        typesetter,
        r"# Head $x_1$",
        r"$\newcommand{\gfn}[1]{\mathrm{gfn}_{#1}}$ and $\def\pte{PTE}\pte$",
        r"Later: $\gfn{7} = \pte$, $\ce{H2O}$, $\require{cancel}\cancel{y}$, $\require{physics}\bra{z}$.",
        "\\begin{align}\n[n] & = 1 \\\\\n & = 2\n\\end{align}",
        r"$$\begin{aligned} a &= b + c \\ d &= e \end{aligned}$$ and $$\begin{pmatrix}1 & 2\\3 & 4\end{pmatrix}$$",
        "\\begin{gather}p\\\\q\\end{gather}\n\n\\begin{multline}r\\\\s\\end{multline}",
        r"$$\begin{cases}1 & t\\0 & u\end{cases}$$ $$\begin{array}{l|r}v&w\\\hline x&y\end{array}$$",
        "| table |\n|---|\n| $k|l$ |",
    )
    assert not notices and None not in texts.values()
    assert texts[r"\gfn{7} = \pte"] == "gfn7=PTE" and texts[r"k|l"] == "k|l" and len(texts) == 15


def test_numbers_and_references_also_to_what_follows(typesetter):
    texts, notices = typeset(
        typesetter,
        r"By $\eqref{late}$ and \eqref{tagged}:",
        r"\begin{equation}\label{early} a = b \end{equation}",
        r"\begin{equation}\label{late} c = d \end{equation} and $\ref{early}$",
        r"$$e = f \tag{*}\label{tagged}$$",
    )
    assert not notices
    assert (texts[r"\eqref{late}"], texts[r"\ref{early}"], texts[r"\eqref{tagged}"]) == ("(2)", "1", "(*)")


def test_a_formula_of_many_rows_can_be_divided_between_slides(typesetter):
    rows = r" \\[2pt] ".join(rf"a_{{{n}}} &= \begin{{pmatrix}}{n}\\ b\end{{pmatrix}}" for n in range(20))
    aligned = f"$$\\begin{{aligned}}{rows}\\\\\\end{{aligned}}$$"
    texts, notices = typeset(typesetter, f"\\begin{{align}}{rows}\\end{{align}}", aligned)
    assert not notices and len(texts) == 6 and all(rf"\begin{{{name}}}" in "".join(texts) for name in ("align", "aligned"))
    whole = "".join(texts.values())
    assert all(whole.count(f"a{n}=({n}b)") == 2 and f"({n + 1})a{n}=" in whole for n in range(20)), "numbering goes on"


def test_a_wide_formula_is_broken_into_lines_before_operators(typesetter):
    long = "y = " + " + ".join(f"x_{{{n}}}" for n in range(80))
    numbered = rf"\begin{{equation}}\label{{sum}} {long} \end{{equation}}"
    nested = r"$$\sqrt{" + long + "}$$"
    texts, notices = typeset(typesetter, r"By \eqref{sum} and $\newcommand{\one}{1}\one$:", f"$${long}$$", numbered, nested)
    assert not notices and len(texts) == 5 and long in texts
    made = typesetter.page(page(markdown_html(f"$${long}$$\n\n{numbered}\n\n$(a+b)$ {nested}")), Notices())
    assert made.count("<mtr>") == 6 + 6 and made.count("(1)") >= 1 and made.count("(2)") == 0
    assert all(made.count(f"<mn>{n}</mn>") >= 3 for n in range(10, 80)), "no term is lost"


def test_punctuation_stays_with_its_formula(typesetter):
    made = typesetter.page(page(markdown_html("So $x$, or ($y$).")), Notices())
    assert re.sub(r"<mjx.*?</mjx-container>|data-\w+=\"[^\"]*\" ?", "", made).count("</span>,</span> or (<span") == 1


def test_a_formula_with_a_mistake_is_its_source_and_a_notice(typesetter):
    texts, notices = typeset(typesetter, r"$\frac{1$", r"$\unknown + 1$", r"$\href{javascript:alert(1)}{x}$")
    assert texts[r"\frac{1"] is None and texts[r"\unknown + 1"] == r"\unknown+1"
    assert notices == [
        r"cell 1: the formula \frac{1 is shown as its source: Missing close brace",
        r"cell 2: the formula \unknown + 1 uses \unknown, which is not defined",
    ]


def test_diagrams_and_charts_are_drawn_where_their_libraries_are_installed(typesetter, monkeypatch):
    drawing = '<svg viewBox="0 0 40 20"><text>drawn</text></svg>'
    scripts = {
        "mermaidx": f"""window.mermaid = {{
          initialize() {{}},
          async render(id, source) {{
            if (source === "bad") throw Error("Parse error");
            return {{ svg: `{drawing}` }};
          }},
        }};""",
        "plotly": "window.Plotly = { toImage: async () => `data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'/>` };",
    }
    monkeypatch.setattr(typesetting.Library, "is_usable", True)
    monkeypatch.setattr(typesetting, "package_asset", lambda module, path: scripts[module])
    figure = {"data": [{"type": "bar", "y": [1, 2]}], "layout": {"title": {"text": "Faults & flushes"}}}
    cells = markdown_html("```mermaid\nflowchart LR\nA-->B\n```"), markdown_html("```mermaid\nbad\n```"), chart_html(figure)
    notices = Notices()
    inside = "".join(f'<div data-cell="{number}">{cell}</div>' for number, cell in enumerate(cells, 1))
    made = typesetter.page(page(inside), notices)
    assert 'aria-label="Diagram: flowchart LR A--&gt;B"' in made and made.count("drawn") == 1
    assert '<pre class="mermaid">' in made and 'alt="Chart: Faults &amp; flushes"' in made and "data-figure" not in made
    assert list(map(str, notices)) == ["cell 2: the Mermaid diagram bad is shown as its source: Parse error"]


def test_headings_named_like_a_library_are_no_library(typesetter):
    inside = "".join(f'<h2 id="{name}">x</h2>' for name in ("Plotly", "mermaid", "MathJax", "compose", "typeset"))
    notices = Notices()
    made = typesetter.page(page(f"{inside}{markdown_html('$x$')}{chart_html({'data': []})}"), notices)
    assert made.count("<svg") == 1 and [notice.words.partition(":")[0] for notice in notices] == [
        "an interactive chart (Plotly) is left out"
    ]


def test_a_deck_is_the_same_whether_it_is_composed_at_export_or_when_it_is_opened(typesetter, page, tmp_path):
    sentence = "needs a sentence that is long enough for a line of the slide"
    prose = "\n".join(f"{n}. Step {n}, with $x_{{{n}}}$, {sentence}." for n in range(1, 25))
    path = saved(tmp_path, text(f"# A talk\n\n## Steps with $\\sqrt{{2}}$\n\n{prose}"))
    slides = []
    for made in (deck(path, execute=False, typesetter=typesetter), deck(path, execute=False)):
        (tmp_path / "talk.html").write_text(made, "utf-8")
        page.set_viewport_size({"width": 1280, "height": 720})
        page.goto((tmp_path / "talk.html").as_uri())
        page.wait_for_selector("body.ready")
        slides.append(page.eval_on_selector_all(".slides > section", "all => all.map((one) => one.innerText)"))
        assert page.locator(".math svg").count() == 24 + page.locator(".slide-title svg").count()
        assert page.locator("[data-composed]").count() == len(slides[-1]) > 3
    assert slides[0] == slides[1]
