# SPDX-License-Identifier: GPL-2.0-only
"""Pages that are typeset when they are opened, since the export had no browser. What the browser does: see tests/browser."""

import importlib.util

import pytest

from kvmmmu_lab.publish.formulas import formula_html
from kvmmmu_lab.publish.html import markdown_html
from kvmmmu_lab.publish.notices import Notices
from kvmmmu_lab.publish.outputs import chart_html
from kvmmmu_lab.publish.typesetting import BEGIN, END, SCRIPTS, Typesetter, libraries

DIAGRAM = "```mermaid\nA\n```"


def page(inside):
    return f"<html><head></head><body><main>{BEGIN}{inside}{END}</main>{SCRIPTS}</body></html>"


def test_without_a_browser_the_scripts_go_into_the_page():
    with Typesetter() as typesetter:
        deck = typesetter.deck(page(formula_html("x^2", display=False)), Notices())
        plain = typesetter.deck(page("<p>No formula</p>"), Notices())
    assert ">x^2</span>" in deck and "MathJax" in deck and "function composeSlide" in deck
    assert BEGIN not in deck and SCRIPTS not in deck
    assert "tex-svg" not in plain and len(plain) < 100_000 and typesetter.postponed == "no browser can be started"


def test_a_page_without_formulas_needs_no_browser():
    with Typesetter() as typesetter:
        made = typesetter.page(page("<p>Hello</p>"), Notices())
        assert made == "<html><head></head><body><main><p>Hello</p></main></body></html>"
        assert not typesetter.postponed


def test_no_browser_is_used_if_none_is_wanted():
    with Typesetter(use_browser=False) as typesetter:
        assert "<script>" in typesetter.page(page(formula_html("x", display=True)), Notices())
        assert typesetter.postponed == "no browser is used"


@pytest.mark.parametrize("installed", [False, True])
def test_what_a_library_that_is_not_installed_would_draw_is_a_notice(monkeypatch, installed):
    find = importlib.util.find_spec
    known = {"mermaidx": installed, "plotly": installed}

    def find_spec(name):
        return find(name) if name not in known else find("json") if known[name] else None

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    markup = f'<div data-cell="3">{markdown_html(DIAGRAM)}</div><div data-cell="8">{chart_html({"data": []})}</div>'
    notices = Notices()
    if installed:
        monkeypatch.setattr("kvmmmu_lab.publish.typesetting.package_asset", lambda module, path: module)
    assert libraries(markup, notices) == (["mermaidx", "plotly"] if installed else [])
    assert [notice.cell for notice in notices] == ([] if installed else [3, 8])
