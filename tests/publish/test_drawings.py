# SPDX-License-Identifier: GPL-2.0-only
"""Drawings on slides get the layout for the room that they have."""

import base64
import re

import pytest

from kvmmmu_lab.draw.example import example
from kvmmmu_lab.draw.render import renderers
from kvmmmu_lab.publish.drawings import UNIT, film_rooms, lay_out
from kvmmmu_lab.publish.notices import Notices
from kvmmmu_lab.publish.slides import Slide, SlideElement

pytestmark = pytest.mark.skipif(not renderers(), reason="nothing here can lay out a drawing")


@pytest.fixture(scope="module")
def picture():
    return f'<div class="rich">{example().html}</div>'


def size(markup):
    svg = base64.b64decode(re.search(r"base64,([\w+/=]+)", markup)[1]).decode()
    return tuple(map(float, re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg).groups()))


def laid_out(*elements):
    notices = Notices()
    lay_out([Slide("A title", elements=list(elements))], notices)
    return notices


def test_a_picture_is_laid_out_and_its_text_has_16_pixels(picture):
    element = SlideElement("picture", picture, cell=3)
    assert not list(laid_out(element))
    width, height = size(element.html)
    assert element.html != picture and width * UNIT <= 1171 and height * UNIT <= 560
    assert element.html.count("<img") == 2 and "data-scene" not in element.html


@pytest.mark.parametrize(("lines", "narrower"), [(1, False), (14, True)])
def test_a_picture_is_laid_out_for_its_place_beside_long_code_or_below_short_code(picture, lines, narrower):
    code = SlideElement("code", f"<pre>{'x = 1 ' * 5}{chr(10) * lines}y</pre>")
    shown, whole = SlideElement("picture", picture), SlideElement("picture", picture)
    laid_out(SlideElement("parts", parts=[[code], [shown]]))
    laid_out(whole)
    assert (size(shown.html)[0] < size(whole.html)[0]) == narrower


@pytest.mark.parametrize("data", ["", "AAAA", "!", "eJyrVspMUbJSUFJWqgUAFpYDYw=="])
def test_a_picture_with_damaged_data_stays_as_it_is(data):
    markup = f'<div class="kvmmmu-picture" data-scene="{data}"><img alt="a picture"></div>'
    element = SlideElement("picture", markup)
    laid_out(element)
    assert 'alt="a picture"' in element.html


def test_a_film_with_long_captions_has_a_room_that_is_less_high():
    def film(*words):
        return {"chapters": [{"steps": [{"words": one} for one in words]}]}

    large, small = film_rooms(film("Short.", "A read."), "A title")
    assert large.width == small.width and large.height < small.height
    long = film_rooms(film("word " * 80), "A title")
    assert len(long) == 1 and long[0].height < large.height
    assert film_rooms(film("Short."), "A title that is so long that it needs two lines on a slide")[0].height < large.height
