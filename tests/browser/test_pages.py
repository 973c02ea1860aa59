# SPDX-License-Identifier: GPL-2.0-only
"""Pages and outputs as they are written, opened from a file."""

import pytest

from kvmmmu_lab.player.page import film_html, film_page

from ..player import films


@pytest.fixture
def open_page(page, tmp_path):
    def open_page(text):
        file = tmp_path / "page.html"
        file.write_text(text, "utf-8")
        page.goto(file.as_uri())
        return page

    return open_page


@pytest.mark.parametrize("name", ["small", "two_chapters", "hostile"])
def test_a_page_plays(open_page, name):
    film = getattr(films, name)()
    page = open_page(film_page(film))
    assert page.title() == film["title"]
    page.locator(".kvmmmu-player").wait_for()
    page.keyboard.press("ArrowRight")  # without a click: nothing else is on the page
    assert page.locator(".kp-words").text_content() == film["chapters"][0]["steps"][1]["words"]
    page.locator(".kp-forward").click()
    assert page.locator(".kp-count").inner_text().startswith("Step 2 ")
    assert page.locator(".kvmmmu-still").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_without_scripts_the_still_and_the_steps_show(browser, tmp_path):
    (tmp_path / "page.html").write_text(film_page(films.small()), "utf-8")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    assert page.locator("img").bounding_box()["width"] > 300
    page.locator("summary").click()
    assert page.locator("li").last.is_visible()
    context.close()


def test_an_output_that_shows_twice_plays_twice(open_page):
    output = film_html(films.small())
    page = open_page(f'<!doctype html><title>two</title><link rel="icon" href="data:,">{output}<hr>{output}')
    page.wait_for_function("document.querySelectorAll('.kvmmmu-player').length === 2")
    players = page.locator(".kvmmmu-player")
    players.nth(1).locator(".kp-last").click()
    assert players.locator(".kp-count").all_inner_texts() == ["Step 0 of 9", "Step 9 of 9"]
    page.wait_for_timeout(200)
    assert players.count() == 2


def test_on_paper_there_are_no_buttons(open_page):
    page = open_page(film_page(films.small(), step=7))
    page.emulate_media(media="print")
    assert page.locator(".kp-bar, .kp-find").first.is_hidden()
    page.locator(".kp-item").last.wait_for(state="visible")
    assert page.locator(".kp-words").is_visible()
