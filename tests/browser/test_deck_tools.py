# SPDX-License-Identifier: GPL-2.0-only
"""The tools of a deck in a real browser: contents with a search, the pen, line highlights, and columns."""

import pytest

from kvmmmu_lab.publish.deck import deck
from kvmmmu_lab.publish.metadata import Metadata

from ..publish.books import code, saved, text

pytestmark = pytest.mark.slow

WIDE = "<svg xmlns='http://www.w3.org/2000/svg' width='900' height='200'><rect width='900' height='200'/></svg>"
TALL = "<svg xmlns='http://www.w3.org/2000/svg' width='300' height='300'><rect width='300' height='300'/></svg>"
CELLS = [
    text("# Talk"),
    text("## Columns\n\n<!-- columns -->\nleft\n<!-- column -->\nright *words*\n<!-- end columns -->"),
    text("## The walk"),
    code("# highlight: 1|2-3\nfor level in range(4):\n    entry = read(gva)\n    print(entry)"),
    text("## Items\n\n<!-- incremental -->\n- one\n- two\n\n<!-- slide: -->"),
    text("The caf\u00e9 is a note. vm.access(0x1000)", "notes"),
    text("## Wide"),
    code("plot()", shows=[{"image/svg+xml": WIDE}]),
    text("## Square"),
    code("plot()", shows=[{"image/svg+xml": TALL}]),
]


@pytest.fixture(scope="module")
def talk(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tools")
    (folder / "own.css").write_text("body { --accent: rgb(1, 2, 3) }")
    path = saved(folder, *CELLS)
    known = Metadata(author="A. Lecturer", footer="Winter 2026")
    (folder / "talk.html").write_text(deck(path, execute=False, metadata=known, css=folder / "own.css"), "utf-8")
    return folder / "talk.html"


@pytest.fixture
def opened(talk, page):
    page.set_viewport_size({"width": 1280, "height": 720})
    page.goto(talk.as_uri())
    page.wait_for_selector("body.ready")
    return page


def title(page):
    return page.inner_text("section.present .slide-title")


def test_the_contents_lead_to_a_slide(opened):
    opened.keyboard.press("m")
    assert opened.locator(".contents li").count() == 6
    opened.keyboard.press("ArrowDown")
    opened.keyboard.press("ArrowDown")
    opened.keyboard.press("Enter")
    assert title(opened) == "The walk" and not opened.is_visible(".contents")
    opened.keyboard.press("m")
    opened.keyboard.press("Escape")
    assert title(opened) == "The walk" and not opened.evaluate("kvmmmu.deck.isOverview()")


def test_search_finds_text_and_notes_whatever_is_typed(opened):
    opened.keyboard.press("Control+Shift+F")
    opened.keyboard.type("cafe vm.access(")
    assert "Notes: " in opened.inner_text(".contents li")
    opened.keyboard.press("Enter")
    assert title(opened) == "Items"
    opened.keyboard.press("Control+Shift+F")
    opened.keyboard.type("no such word")
    opened.locator(".contents [role=status]").get_by_text("Nothing found", exact=True).wait_for()
    opened.keyboard.press("Escape")
    assert not opened.is_visible(".contents")
    assert opened.locator("section em").count() == 1, "emphasis stays"


def test_keys_reach_the_deck_as_soon_as_the_contents_are_closed(opened):
    opened.keyboard.press("Control+Shift+F")
    opened.keyboard.type("items")
    pressed = "document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', bubbles: true}))"
    assert opened.evaluate(f"() => {{ {pressed}; return document.activeElement.nodeName }}") == "BODY"
    assert title(opened) == "Items"


def test_the_pen_draws_on_a_slide_and_keys_go_on_working(opened):
    opened.keyboard.press("c")
    for y in (200, 400):
        opened.mouse.move(200, y)
        opened.mouse.down()
        opened.mouse.move(600, y, steps=4)
        opened.mouse.up()
    lines = opened.locator("section.present .ink path")
    assert lines.count() == 2
    opened.keyboard.press("Control+z")
    assert lines.count() == 1
    opened.keyboard.press("ArrowRight")
    assert lines.count() == 0 and title(opened) == "Columns"
    opened.keyboard.press("Escape")
    opened.keyboard.press("ArrowLeft")
    assert lines.count() == 1 and not opened.is_visible(".pen-tools")
    opened.set_viewport_size({"width": 1920, "height": 1080})
    left = "Math.abs(document.querySelector('.ink path').getBoundingClientRect().left - 300) < 2"
    opened.wait_for_function(left)


def test_lines_of_code_are_highlighted_step_by_step(opened):
    opened.evaluate("kvmmmu.deck.slide(2)")
    lit = "[...document.querySelectorAll('.present .code-line')].map((line) => line.classList.contains('lit'))"
    seen = []
    while title(opened) == "The walk":
        seen.append(opened.evaluate(lit))
        opened.keyboard.press("ArrowRight")
    assert seen == [[True, False, False], [False, True, True]]
    opened.keyboard.press("ArrowLeft")
    assert opened.evaluate(lit) == seen[1]


def test_columns_and_a_picture_stand_beside_each_other_unless_it_is_larger_below(opened):
    boxes = "[...document.querySelectorAll('.present .slide-body .element')].map((one) => one.getBoundingClientRect().toJSON())"
    for number, name, beside in ((1, "Columns", True), (4, "Wide", False), (5, "Square", True)):
        opened.evaluate("n => kvmmmu.deck.slide(n)", number)
        first, second = opened.evaluate(boxes)
        assert (first["right"] <= second["left"]) == beside and (first["bottom"] <= second["top"]) != beside, name


def test_title_slide_footer_and_own_style_are_shown(opened):
    assert "A. Lecturer" in opened.inner_text("section.present.title")
    assert opened.inner_text("section.present .slide-footer") == "Winter 2026"
    assert opened.evaluate("getComputedStyle(document.querySelector('.reveal .progress')).color") == "rgb(1, 2, 3)"


def test_the_arrows_show_only_while_the_pointer_moves(opened):
    opacity = "() => getComputedStyle(document.querySelector('.reveal .controls')).opacity"
    opened.evaluate("document.body.classList.remove('pointing')")
    opened.wait_for_function(f"({opacity})() === '0'")
    opened.mouse.move(400, 300)
    opened.mouse.move(420, 310)
    opened.wait_for_function(f"({opacity})() === '1'")
    opened.click(".navigate-right")
    assert title(opened) == "Columns"
