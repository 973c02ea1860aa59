# SPDX-License-Identifier: GPL-2.0-only
"""The picture of the course: what each lesson adds is marked, everything keeps its place, and all text can be read."""

import itertools
import re
import xml.etree.ElementTree as ET

import pytest

from kvmmmu_lab import InputError
from kvmmmu_lab.draw.course_picture import ADDED, FRAMES, HEIGHT, SIZE, WIDTH, course_picture
from kvmmmu_lab.draw.metrics import text_width
from kvmmmu_lab.draw.theme import colours
from kvmmmu_lab.publish.drawings import HEIGHT as ROOM_HEIGHT
from kvmmmu_lab.publish.drawings import WIDTH as ROOM_WIDTH

SVG = "{http://www.w3.org/2000/svg}"
NUMBERS = range(len(ADDED) + 1)


@pytest.fixture(params=NUMBERS)
def number(request):
    return request.param


def parsed(number):
    return ET.fromstring(course_picture(number).svg)


def groups(number, kind):
    return [group for group in parsed(number).iter(f"{SVG}g") if group.get("class") == kind]


def places(element):
    """What is drawn, without the marks of what is new."""
    found = []
    for child in element.iter():
        name, kind = child.tag.removeprefix(SVG), child.get("class", "")
        if name in ("rect", "path", "circle") and kind not in ("plate", "halo"):
            found.append((name, kind, *(child.get(key) for key in ("x", "y", "width", "height", "d", "cx", "cy", "r"))))
    return found


def test_what_a_lesson_adds_is_marked_and_named(number):
    new = groups(number, "new")
    assert len(new) == (number > 0) and len(groups(number, "old")) == max(0, number - 1)
    if number:
        named = [text.text for text in new[0].iter(f"{SVG}text") if (text.text or "").startswith("new: ")]
        assert ", ".join(name.removeprefix("new: ") for name in named) == ADDED[number].name


def test_colour_is_not_the_only_sign():
    style = parsed(6).find(f"{SVG}style").text
    assert re.search(r"\.new text \{[^}]*bold", style) and re.search(r"\.new \.line[^{]*\{[^}]*stroke-width: 3px", style)
    assert colours()["changed"] in style and "var(" not in style


@pytest.mark.parametrize("number", NUMBERS[:-1])
def test_everything_keeps_its_place(number):
    now, later = places(parsed(number)), places(parsed(number + 1))
    assert later[: len(now)] == now and len(later) > len(now)


def boxes(number):
    """The boxes of all texts."""
    for group in parsed(number).iter():
        for text in group.findall(f"{SVG}text"):
            kind, x, y = text.get("class").split(), float(text.get("x")), float(text.get("y"))
            width = 0.6 * SIZE * len(text.text) if "mono" in kind else text_width(text.text, SIZE, "name" in kind)
            left = x - width * (1 if "end" in kind else 0.5 if {"middle", "title"} & set(kind) else 0)
            yield text.text, left, y - 13, left + width, y + 4


def test_no_text_lies_over_another_and_none_is_cut_off(number):
    found = list(boxes(number))
    for _, left, top, right, bottom in found:
        assert left >= 0 and top >= 0 and right <= WIDTH and bottom <= HEIGHT
    for (one, *a), (other, *b) in itertools.combinations(found, 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1], (one, other)


def corners(shape):
    """Points at the edge of a shape: the corners of a rectangle, the middle of a circle, the ends of the parts of a path."""
    if shape.tag == f"{SVG}path":
        x = y = 0.0
        for letter, numbers in re.findall(r"([a-zA-Z])([^a-zA-Z]*)", shape.get("d")):
            ends = [float(part) for part in re.findall(r"-?[\d.]+", numbers)]
            if letter in "MLC":
                x, y = ends[-2:]
            elif letter in "HV":
                x, y = (ends[0], y) if letter == "H" else (x, ends[0])
            else:
                continue
            yield x, y
    elif shape.tag == f"{SVG}rect":
        x, y, width, height = (float(shape.get(key)) for key in ("x", "y", "width", "height"))
        yield from itertools.product((x, x + width), (y, y + height))
    elif shape.tag == f"{SVG}circle":
        yield float(shape.get("cx")), float(shape.get("cy"))


@pytest.mark.parametrize("number", NUMBERS[1:])
def test_a_label_at_the_right_stands_beside_what_it_names(number):
    """No line leads to it there, and "red light" was far from its light as soon as it no longer began with "new"."""
    for later in {number, NUMBERS[-1]}:
        group = [one for one in parsed(later).iter(f"{SVG}g")][number - 1]
        shapes = [shape for shape in group if shape.get("class") not in ("plate", "halo")]
        points = [point for shape in shapes for point in corners(shape)]
        for text in group.findall(f"{SVG}text"):
            _, left, top, right, bottom = next(box for box in boxes(later) if box[0] == text.text)
            if "label" in text.get("class").split() and right > FRAMES:
                far = min(max(left - x, x - right, 0) + max(top - y, y - bottom, 0) for x, y in points)
                assert far <= 25, (text.text, far)


def test_its_text_is_large_enough_on_a_slide_and_in_a_narrow_page():
    assert SIZE * min(ROOM_WIDTH / WIDTH, ROOM_HEIGHT / HEIGHT) >= 16
    assert SIZE * 800 / WIDTH >= 11, "a page of 1,024 pixels has 800 for it"


def test_it_can_be_read_as_text_and_heard(number):
    picture = course_picture(number)
    lines = str(picture).splitlines()
    assert [line for line in lines if line.startswith("* ")][:1] == lines[6 + number - 1 : 6 + number] * (number > 0)
    for later in range(number + 1, len(ADDED) + 1):
        assert f"  {ADDED[later].name:<18}" not in str(picture)
    assert picture.alternative.endswith(ADDED[number].says if number else ".")
    assert parsed(number).get("aria-label") == picture.alternative
    assert picture.html.count("<img") == 2 and "max-width:100%" in picture.html
    assert picture._repr_mimebundle_()["text/plain"] == str(picture)


def test_the_dark_picture_has_dark_colours():
    dark = course_picture(9).drawn(dark=True)
    assert colours(True)["stage"] in dark and colours()["changed"] not in dark


@pytest.mark.parametrize("number", [-1, 17, "6", True, None, 1.0])
def test_another_number_is_refused(number):
    with pytest.raises(InputError, match="number"):
        course_picture(number)


def test_it_is_saved_as_svg_or_text(tmp_path):
    picture = course_picture(3)
    for suffix, text in ((".svg", picture.svg), (".txt", str(picture))):
        picture.save(tmp_path / f"it{suffix}")
        assert (tmp_path / f"it{suffix}").read_text("utf-8") == text + "\n"
    with pytest.raises(InputError, match="path"):
        picture.save(tmp_path / "it.png")
    with pytest.raises(InputError, match="path"):
        picture.save(tmp_path / "missing" / "it.svg")
