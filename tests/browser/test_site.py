# SPDX-License-Identifier: GPL-2.0-only
"""The site in a real browser: a small course, built once, without running anything."""

import functools
import http.server
import json
import threading

import pytest

from kvmmmu_lab.publish.site import build

from ..publish.courses import small_course
from ..publish.pdf import Pdf
from .barriers import barriers
from .firefox import find_firefox, firefox

pytestmark = pytest.mark.slow

FIRST, SECOND = "lessons/00_first.html", "lessons/06_second.html"
WIDTHS = [(390, 844), (768, 1024), (1280, 800)]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the site."""
    out = tmp_path_factory.mktemp("site")
    build(small_course(tmp_path_factory.mktemp("course")), out, execute=False)
    return out


@pytest.fixture
def opened(page, site):
    """Open a page of the site, at an address relative to its root."""

    def opened(address, *, size=(1280, 800), **media):
        page.set_viewport_size({"width": size[0], "height": size[1]})
        page.emulate_media(**media)
        page.goto("about:blank")
        page.goto(f"{site.as_uri()}/{address}")
        page.wait_for_selector("body.ready")
        return page

    yield opened
    page.evaluate("localStorage.clear()")


RANGES = "[...CSS.highlights.get('found')]"


def find(page, query):
    """Type a query; return the places and excerpts of the results."""
    page.fill("#search", query)
    page.wait_for_selector("#found:not([hidden])")
    page.wait_for_timeout(50)
    return [tuple(link.inner_text().split("\n")[:2]) for link in page.query_selector_all("#found a")]


# Search


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("#248:454", "Lesson 0, Watch one"),
        ("gfn 0x29AF", "Lesson 0"),
        ("the code of a cell", "Lesson 0, Watch one, code"),
        ("a printed result", "Lesson 0, Watch one, output"),
        ("watch two", "Lesson 0"),  # a heading is its own place
        ("the second", "Lesson 6"),
        ("quadrant covers gva", "Exercise 1, What to write"),
    ],
)
def test_search_says_where_something_is(opened, query, first):
    assert find(opened("index.html"), query)[0][0] == first


def test_search_finds_whole_words_first_and_groups_by_page(opened):
    page = opened("index.html")
    places = [where for where, _ in find(page, "walk")]
    assert places[0] == "Exercise 2"
    groups = page.locator(".found-page").all_inner_texts()
    assert groups[0] == "Exercise 02: Walk the guest's tables" and len(set(groups)) == len(groups)
    page.locator("#found button").first.click()
    assert page.locator("#found section").first.locator("a").count() > 4
    assert page.evaluate("document.activeElement.matches('#found a')")


def test_a_step_of_a_film_is_found_shown_and_highlighted(opened):
    page = opened("index.html")
    found = find(page, "page fault")
    place = next(where for where, _ in found if "step" in where)
    assert place == "Lesson 0, Watch one, step 3 of the film"
    page.locator("#found a", has_text=place).click()
    page.wait_for_selector("#film-1 .kvmmmu-player")
    assert page.url.endswith("lessons/00_first.html?find=page%20fault#film-1-step-3")
    assert page.locator("#film-1 .kp-count").inner_text().startswith("Step 3 of")
    assert "page fault" in page.locator("#film-1 .kp-words").inner_text().lower()
    page.wait_for_timeout(800)
    assert 0 <= page.locator("#film-1").bounding_box()["y"] < 400
    assert page.evaluate(f"{RANGES}.some((range) => range.startContainer.parentElement.closest('.kp-words'))")
    page.goto(page.url.partition("?")[0] + "#film-3-step-4")
    page.wait_for_function("document.querySelector('#film-3 .kp-count')?.textContent.startsWith('Step 4 of')")


def test_a_result_on_the_same_page_leads_to_its_section(opened):
    page = opened(SECOND, size=(1000, 500))
    assert find(page, "nothing one film")[0][0] == "Lesson 6, A heading é"
    page.keyboard.press("Enter")
    page.wait_for_function("decodeURIComponent(location.hash) === '#A-heading-é'")
    assert page.evaluate("CSS.highlights.get('found').size") >= 3
    assert page.locator("#found").is_hidden()


def test_search_by_keys_and_for_a_screen_reader(opened):
    page = opened(SECOND)
    page.keyboard.press("/")
    page.keyboard.type("lesson")
    page.wait_for_function("/^\\d+ results on 2 pages$/.test(document.querySelector('#count').textContent)")
    active = "[...document.querySelectorAll('#found a')].indexOf(document.activeElement)"
    for key, at in (("ArrowDown", 0), ("ArrowDown", 1), ("ArrowUp", 0), ("ArrowUp", -1), ("ArrowDown", 0)):
        page.keyboard.press(key)
        assert page.evaluate(active) == at
    page.keyboard.press("Escape")
    assert page.locator("#found").is_hidden() and page.evaluate("document.activeElement.id") == "search"
    page.fill("#search", "xyzzy")
    page.wait_for_function("document.querySelector('#count').textContent === 'Nothing contains xyzzy'")


def test_search_without_its_index_says_so(site, browser, tmp_path):
    (tmp_path / "index.html").write_text((site / "index.html").read_text("utf-8"), "utf-8")
    page = browser.new_page()
    page.goto((tmp_path / "index.html").as_uri())
    page.fill("#search", "gfn")
    page.wait_for_function("document.querySelector('#found').textContent.includes(\"can't be loaded\")")
    page.close()


# Contents, theme, screens


def test_contents_stand_beside_the_text_from_900_pixels_and_mark_the_section(opened):
    page = opened(FIRST, size=(900, 400))
    box, text = page.locator(".contents").bounding_box(), page.locator("main > .prose").first.bounding_box()
    assert box["x"] > text["x"] + text["width"] and page.locator(".contents a").first.is_visible()
    assert page.locator("#film-1").bounding_box()["width"] >= 850, "a film has the whole width"
    page.evaluate("document.getElementById('Watch-two').scrollIntoView()")
    page.wait_for_selector(".contents a[aria-current]:has-text('Watch two')")
    assert 0 < page.locator(".contents").bounding_box()["y"] < 100


def test_on_a_phone_the_contents_are_a_fold(opened):
    page = opened(FIRST, size=(390, 844))
    assert page.locator(".contents a").first.is_hidden()
    page.locator(".contents summary").click()
    page.locator(".contents a", has_text="Watch two").click()
    page.wait_for_timeout(800)
    assert page.locator(".contents a").first.is_hidden()
    assert 0 < page.locator("#Watch-two").bounding_box()["y"] < 200


@pytest.mark.parametrize("address", ["index.html", FIRST, SECOND, "exercises/02_walk.html"])
def test_nothing_is_wider_than_the_screen(opened, address):
    for width in (320, 390, 768, 1000):
        page = opened(address, size=(width, 640))
        for place in page.query_selector_all(".film"):
            place.scroll_into_view_if_needed()
        assert page.evaluate("document.documentElement.scrollWidth") <= width


LIGHT = "document.body.dataset.jpThemeLight"


def test_the_theme_is_kept_for_all_pages_until_auto_is_chosen_again(opened):
    page = opened("index.html", color_scheme="light")
    assert page.evaluate(LIGHT) == "true"
    page.select_option("#theme", "dark")
    assert page.evaluate(LIGHT) == "false"
    page.locator(".map a").first.click()
    page.wait_for_selector("body.ready")
    assert page.evaluate(LIGHT) == "false" and page.input_value("#theme") == "dark"
    page.select_option("#theme", "auto")
    assert page.evaluate(LIGHT) == "true"
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"{LIGHT} === 'false'")


def test_the_theme_is_kept_in_firefox_too_where_each_file_has_a_storage_of_its_own(site):
    if not find_firefox():
        pytest.skip("needs Firefox")
    with firefox(find_firefox()) as page:
        page.goto((site / "index.html").as_uri())
        page.evaluate("""() => { const theme = document.querySelector("#theme"); theme.value = "dark";
            theme.dispatchEvent(new Event("change")); document.querySelector(".map a").click(); }""")
        page.wait_for_function("document.title.includes('Lesson 0') && document.body.matches('.ready')")
        assert page.evaluate("() => document.body.dataset.jpThemeLight") == "false"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_picture_has_the_colours_of_its_page(opened, theme):
    page = opened(SECOND, color_scheme=theme)
    pictures = page.locator(".kvmmmu-picture img").all()
    assert [image.get_attribute("class") for image in pictures if image.is_visible()] == [theme]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", WIDTHS, ids=lambda size: str(size[0]))
def test_pages_have_no_barriers(opened, size, theme):
    found = []
    for address in ("index.html", FIRST):
        page = opened(address, size=size, color_scheme=theme)
        for place in page.query_selector_all(".film"):
            place.scroll_into_view_if_needed()
        page.evaluate("document.querySelectorAll('details').forEach((fold) => (fold.open = true))")
        find(page, "gfn")
        found += [(address, *one) for one in barriers(page)]
    assert not found


# Paper


def test_a_printed_page_has_everything_in_light_colours(opened, tmp_path):
    page = opened(FIRST, color_scheme="dark")
    page.pdf(path=tmp_path / "first.pdf", prefer_css_page_size=True, print_background=True)
    pdf = Pdf(tmp_path / "first.pdf")
    assert pdf.smallest >= 9 and not pdf.thin_pages()
    for words in ("It is short.", "#248:454", "in a table", "x = 1 # the code of a cell", "a printed result", "ask()",
                  "web (https://example.org/x)", "Lesson 0: The first"):  # fmt: skip
        assert pdf.says(words), words
    assert [step for step in steps_of(page) if not pdf.says(step)] == []
    assert all(pdf.says(f"{number} / {len(pdf.texts)}") for number in range(1, len(pdf.texts) + 1))
    assert min(pdf.brightness(number) for number in range(len(pdf.texts))) > 200
    assert page.evaluate(LIGHT) == "false" and page.locator(".on-paper").count() == 0


def steps_of(page):
    """The captions of the films on a page, but for the first of each."""
    films = [json.loads(data.text_content()) for data in page.query_selector_all(".film-data")]
    return [step["words"] for film in films for step in [one for chapter in film["chapters"] for one in chapter["steps"]][1:]]


def test_long_lines_and_long_outputs_are_printed_whole(opened, tmp_path):
    opened(SECOND).pdf(path=tmp_path / "second.pdf", prefer_css_page_size=True)
    pdf = Pdf(tmp_path / "second.pdf")
    assert pdf.text.count("x") >= 80 * 150 and pdf.says("abcdefghij" * 20)
    assert all(pdf.says(f"line {number} xxx") for number in range(0, 80, 9))
    assert all(pdf.says(f"column{number}") and pdf.says(f"value{number}") for number in range(1, 30))
    assert pdf.text.count("first") > 2, "each part of a wide table begins with its first column"
    assert pdf.smallest >= 9


# Servers


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a site below a prefix only."""

    def do_GET(self):
        if not self.path.startswith("/user/jo/"):
            self.send_error(404)
            return
        self.path = self.path.removeprefix("/user/jo")
        super().do_GET()

    def log_message(self, *_):
        pass


def test_behind_a_prefix_pages_search_and_lead_on(site, browser):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    context = browser.new_context()
    page = context.new_page()
    try:
        page.goto(f"http://127.0.0.1:{server.server_address[1]}/user/jo/{SECOND}")
        page.wait_for_selector("body.ready")
        assert find(page, "#248:454")
        page.keyboard.press("Enter")
        page.wait_for_url("**/user/jo/lessons/00_first.html?find=**")
        page.locator(".home").click()
        page.wait_for_url("**/user/jo/index.html")
    finally:
        context.close()
        server.shutdown()
        server.server_close()


def test_without_scripts_a_page_is_read_all_the_same(site, browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site.as_uri()}/{FIRST}")
    assert page.locator("#film-1 img").bounding_box()["width"] > 100 and page.locator("#search").is_hidden()
    page.locator(".contents summary").click()
    assert page.locator(".contents a").first.is_visible()
    page.goto(f"{site.as_uri()}/index.html")
    assert page.locator(".map a").count() == 4
    context.close()
