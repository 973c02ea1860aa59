# SPDX-License-Identifier: GPL-2.0-only
"""The outputs of cells are rendered as HTML."""

import json

from kvmmmu_lab.player.page import film_html
from kvmmmu_lab.publish.outputs import MAX_HTML, MAX_TEXT, rendered_outputs, text_html

from ..player.films import two_chapters as a_film
from .books import code


def kinds(*data):
    return [output.kind for output in rendered_outputs(code("x", shows=data))]


def test_a_film_is_found_in_its_html():
    (output,) = rendered_outputs(code("x", shows=[{"text/html": film_html(a_film(), step=1)}]))
    assert (output.kind, output.film.data, output.film.options["step"]) == ("film", json.loads(json.dumps(a_film())), 1)


def test_a_widgets_own_output_is_skipped():
    assert kinds({"text/html": "<p>1 / 2</p>"}, {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "x"}) == ["text"]


def test_formatted_outputs_are_shown_formatted():
    said = [{"text/markdown": "**bold**"}, {"text/latex": r"$\frac{1}{2}$"}, {"application/json": {"a": 1}, "text/plain": "<>"}]
    bold, half, data = (output.html for output in rendered_outputs(code("x", shows=said)))
    assert "<strong>bold</strong>" in bold and "<mfrac>" in half and "&quot;a&quot;: 1" in data
    assert kinds({"application/javascript": "alert(1)", "text/plain": "<Javascript>"}) == []


def test_a_huge_output_is_cut_off_with_a_note():
    assert f"({5:,} more characters are left out)" in text_html("x" * (MAX_TEXT + 5))
    (output,) = rendered_outputs(code("x", shows=[{"text/html": "x" * (MAX_HTML + 1)}]))
    assert "is left out" in output.html and len(output.html) < 300


def test_text_is_escaped_and_has_no_terminal_colours():
    assert text_html("\x1b[31m<b>\x1b[0m") == "<pre>&lt;b&gt;</pre>"
