# SPDX-License-Identifier: GPL-2.0-only
"""The outputs of cells are rendered as HTML."""

import base64
import json
import re

import pytest

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


# Drawings of other programs

CAIRO = (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="200" height="80"><defs>'
    '<clipPath id="c"><rect width="{0}" height="80"/></clipPath><g id="glyph"><text>{1}</text></g></defs>'
    '<rect width="200" height="80" clip-path="url(#c)"/><use xlink:href="#glyph" x="10"/></svg>'
)
CLASSES = '<svg viewBox="0 0 9 9"><style>.st0 {{ fill: {1} }}</style><rect class="st0" width="{0}" height="9"/></svg>'
SCRIPT = (
    '<?xml version="1.0" encoding="latin1"?>\n<svg xmlns="http://www.w3.org/2000/svg" onload="alert({0})">'
    '<title>A plot</title><g id="a"/><script>document.write("{1}")</script></svg>'
)


def images(*outputs):
    """The drawings in the images of some outputs; anything else about them is checked."""
    found = []
    for output in rendered_outputs(code("x", shows=outputs)):
        assert output.kind == "picture"
        rest = re.sub(r'<img src="data:image/svg\+xml;base64,([^"]*)" alt="[^"]+"/?>', "", output.html)
        assert not re.search(r"<svg|<style|<script|\bid=", rest)
        found += [base64.b64decode(one).decode() for one in re.findall(r"base64,([^\"]*)", output.html)]
    return found


@pytest.mark.parametrize("form", [CAIRO, CLASSES, SCRIPT], ids=["ids", "classes", "script"])
def test_two_drawings_with_the_same_ids_or_classes_are_kept_apart(form):
    """As images: on a page, the ids and style rules of the first would apply to the second."""
    first, second = form.format(60, "ONE"), form.format(200, "TWO")
    for kind in ("image/svg+xml", "text/html"):
        shown = images({kind: first}, {kind: second})
        assert "ONE" in shown[0] and "TWO" in shown[1] and len(shown) == 2
        assert all('xmlns="http://www.w3.org/2000/svg"' in one and "<?xml" not in one for one in shown)
    both = images({"text/html": f"<p>é</p>\n<div>{first}\n</div><p>{second}</p>"})
    assert "ONE" in both[0] and "TWO" in both[1]


def test_a_drawing_says_what_it_shows():
    named, titled, nameless = (
        next(rendered_outputs(code("x", shows=[{"image/svg+xml": svg, "text/plain": "<Figure 1>"}]))).html
        for svg in ('<svg aria-label="a &lt; b"/>', "<svg><title>Two axes</title></svg>", "<svg/>")
    )
    assert 'alt="a &lt; b"' in named and 'alt="Two axes"' in titled and 'alt="a picture"' in nameless


def test_a_drawing_that_needs_its_surroundings_or_is_no_xml_stays_as_it_is():
    sprite = '<svg><use href="#icon"/></svg><svg><symbol id="icon"><path d="M0 0"/></symbol><use href="#else"/></svg>'
    for markup in (sprite, "<svg id=broken><g></svg>", '<p>no <b>picture</b></p>', '<svg class="plain"><path d="M0 0"/></svg>'):
        (output,) = rendered_outputs(code("x", shows=[{"text/html": markup}]))
        assert "<img" not in output.html
    (output,) = rendered_outputs(code("x", shows=[{"image/svg+xml": "<svg><g onclick='x()'></svg>"}]))
    assert "<svg" in output.html and "onclick" not in output.html


def test_a_drawing_with_characters_that_only_html_names():
    assert "a\xa0b &amp; c" in images({"image/svg+xml": "<svg><text id='t'>a&nbsp;b &amp; c</text></svg>"})[0]
