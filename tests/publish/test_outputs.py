# SPDX-License-Identifier: GPL-2.0-only
"""What cells show, as HTML."""

import json

from kvmmmu_lab.player.page import film_html, film_parts
from kvmmmu_lab.publish.outputs import MOST, MOST_HTML, shown, text_html

from ..player.films import two_scenes as a_film
from .books import code


def kinds(*data):
    return [thing.kind for thing in shown(code("x", shows=data))]


def test_a_film_is_found_in_its_html_and_comes_back_whole():
    data = a_film()
    parts = film_parts(f'<div class="kvmmmu-still-1">{film_html(data, step=1)}</div>')
    assert parts.data == json.loads(json.dumps(data)) and json.loads(parts.options)["step"] == 1
    assert "<img" in parts.still
    assert film_parts("<p>no film</p>") is None
    assert kinds({"text/html": film_html(data)}) == ["film"]


def test_a_widget_is_what_stands_before_it():
    assert kinds({"text/html": "<p>1 / 2</p>"}, {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "x"}) == ["text"]


def test_formatted_outputs_are_shown_formatted():
    said = [{"text/markdown": "**bold**"}, {"text/latex": r"$\frac{1}{2}$"}, {"application/json": {"a": 1}, "text/plain": "<>"}]
    bold, half, data = (thing.html for thing in shown(code("x", shows=said)))
    assert "<strong>bold</strong>" in bold and "<mfrac>" in half and "&quot;a&quot;: 1" in data
    assert kinds({"application/javascript": "alert(1)", "text/plain": "<Javascript>"}) == []


def test_what_is_huge_is_cut_and_says_so():
    assert f"({5:,} more characters are left out)" in text_html("x" * (MOST + 5))
    (thing,) = shown(code("x", shows=[{"text/html": "x" * (MOST_HTML + 1)}]))
    assert "is left out" in thing.html and len(thing.html) < 300


def test_text_is_text():
    assert text_html("\x1b[31m<b>\x1b[0m") == "<pre>&lt;b&gt;</pre>"
