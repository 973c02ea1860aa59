# SPDX-License-Identifier: GPL-2.0-only
"""Decks and the site of the course in a real browser, from their files, without a network."""

import os
import re
import subprocess
import sys
import time

import pytest

from kvmmmu_lab import open_guest
from kvmmmu_lab.labs import watch
from kvmmmu_lab.publish.deck import deck
from kvmmmu_lab.publish.summary import MAX_WORDS, word_count
from kvmmmu_lab.workspace import course_root

from ..publish.books import FILM, code, saved, text
from .barriers import barriers
from .conftest import Watchdog

pytestmark = pytest.mark.slow

LESSONS = sorted((course_root() / "notebooks").glob("[0-9]*.ipynb"))
SIZES = [(1280, 720), (1920, 1080)]

TO_THE_END_AND_BACK = """place => {
  const player = place.querySelector(".kvmmmu-player");
  const count = () => Number(player.querySelector(".kp-count").textContent.match(/\\d+/)[0]);
  const press = (key) => player.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  const total = player.querySelectorAll(".kp-item").length;
  for (let n = 0; n < total + 2; n += 1) press("ArrowRight");
  const end = count();
  for (let n = 0; n < total + 2; n += 1) press("ArrowLeft");
  return [total, end, count()];
}"""

LAID_OUT = """() => {
  const content = kvmmmu.deck.getCurrentSlide().querySelector(".slide-content");
  const boxes = [...content.children].map((part) => part.getBoundingClientRect());
  const inside = (box) => box.left >= -1 && box.right <= innerWidth + 1 && box.top >= -1 && box.bottom <= innerHeight + 1;
  const film = content.querySelector(".film")?.getBoundingClientRect();
  return {
    overflow: [content.scrollWidth - content.clientWidth, content.scrollHeight - content.clientHeight],
    overlaps: boxes.some((box, n) => n && box.top < boxes[n - 1].bottom - 1),
    outside: boxes.filter((box) => !inside(box)).length,
    cut: [...content.querySelectorAll("pre, .picture > .rich")].filter((one) => one.scrollWidth > one.clientWidth + 2).length,
    small: Number(content.style.getPropertyValue("--size")) < 0.7,
    film: film ? film.height / innerHeight : 1,
    picture: Boolean(content.querySelector(".film, .picture")),
    prose: [...content.querySelectorAll(".prose :is(p, li)")].map((part) => part.textContent).join(" "),
  };
}"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """All decks, as the command makes them, with PDFs; and how long each took."""
    out, cache = tmp_path_factory.mktemp("decks"), tmp_path_factory.mktemp("cache")
    os.environ["KVMMMU_LAB_CACHE"] = str(cache)
    seconds = {}
    for path in LESSONS:
        begin = time.monotonic()
        command("slides", path, "--out", out, "--pdf")
        seconds[path.stem] = time.monotonic() - begin
    command("site", "--out", out / "site")
    yield out, seconds
    del os.environ["KVMMMU_LAB_CACHE"]


def command(*arguments):
    """As a process of its own: it starts a browser, too."""
    done = subprocess.run([sys.executable, "-m", "kvmmmu_lab", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def opened(page, path):
    page.goto(path.as_uri())
    page.wait_for_selector("body.ready")


def slides(page):
    """Go through all slides of a deck, with all their fragments."""
    for number in range(page.evaluate("kvmmmu.slides().length")):
        go = "n => { const { h, v } = kvmmmu.deck.getIndices(kvmmmu.slides()[n]); kvmmmu.deck.slide(h, v, 99); }"
        page.evaluate(go, number)
        page.wait_for_function("n => kvmmmu.deck.getCurrentSlide() === kvmmmu.slides()[n]", arg=number)
        yield number


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_a_deck_is_small_and_made_in_time(exported, lesson):
    out, seconds = exported
    assert (out / f"{lesson.stem}.html").stat().st_size <= 3_000_000
    assert seconds[lesson.stem] <= 30


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_every_film_of_a_deck_plays_to_its_end_and_back(exported, page, lesson):
    opened(page, exported[0] / f"{lesson.stem}.html")
    films = 0
    for _ in slides(page):
        for place in page.query_selector_all("section.present > section.present .film"):
            total, end, begin = place.evaluate(TO_THE_END_AND_BACK)
            assert total > 2 and (end, begin) == (total - 1, 0)
            films += 1
    assert films == page.evaluate("document.querySelectorAll('.film-data').length") > 0


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_nothing_on_a_slide_is_cut_off_or_overlaps(exported, page, lesson, size):
    page.set_viewport_size(dict(zip(("width", "height"), size, strict=True)))
    opened(page, exported[0] / f"{lesson.stem}.html")
    wrong = []
    for number in slides(page):
        page.wait_for_timeout(50)
        laid = page.evaluate(LAID_OUT)
        good = max(laid["overflow"]) <= 1 and not laid["overlaps"] and not laid["outside"] and not laid["cut"]
        talks = word_count(laid["prose"]) > (MAX_WORDS + 5 if laid["picture"] else 2 * MAX_WORDS)
        if not good or laid["small"] or laid["film"] < 0.5 or talks:
            wrong.append((number, laid))
    assert not wrong, str(wrong)


def test_arrow_keys_move_the_film_that_has_the_focus_and_else_the_deck(exported, page):
    opened(page, exported[0] / "06_reverse_maps.html")
    film = next(number for number in slides(page) if page.query_selector("section.present > section.present .film"))
    place = page.query_selector("section.present > section.present .film")
    where = "kvmmmu.slides().indexOf(kvmmmu.deck.getCurrentSlide())"
    place.query_selector(".kp-picture").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate(where) == film and "Step 1" in place.query_selector(".kp-count").inner_text()
    page.keyboard.press("/")
    page.keyboard.type("rmap")
    assert place.query_selector(".kp-search").input_value() == "rmap"
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowRight")
    assert page.evaluate(where) != film


def test_a_deck_has_an_overview_notes_and_a_dark_side(exported, page):
    opened(page, exported[0] / "06_reverse_maps.html")
    assert page.evaluate("document.querySelectorAll('aside.notes').length") > 5
    page.keyboard.press("o")
    assert page.evaluate("kvmmmu.deck.isOverview()")
    page.keyboard.press("o")
    colour = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(colour)
    page.keyboard.press("d")
    assert page.evaluate(colour) != light
    assert page.query_selector(".progress").is_visible()


def pages_of(out):
    return sorted((out / "site").rglob("*.html"))


def test_every_page_of_the_site_plays_and_asks_nothing_of_a_network(exported, page):
    films = 0
    for path in pages_of(exported[0]):
        opened(page, path)
        for place in page.query_selector_all(".film"):
            place.scroll_into_view_if_needed()
            place.wait_for_selector(".kvmmmu-player")
            total, end, begin = place.evaluate(TO_THE_END_AND_BACK)
            assert (end, begin) == (total - 1, 0)
            films += 1
    assert films > 20


def test_every_link_of_the_site_leads_somewhere(exported):
    out, broken = exported[0] / "site", []
    for path in pages_of(exported[0]):
        for address in re.findall(r'<a [^>]*href="([^"]+)"', path.read_text("utf-8")):
            place, _, part = address.partition("#")
            target = (path.parent / place).resolve() if place else path
            if place.startswith("http"):
                continue
            if not target.is_file() or (part and f'id="{part}"' not in target.read_text("utf-8")):
                broken.append((path.name, address))
    assert not broken and out.is_dir()


def test_search_finds_lessons_and_exercises(exported, page):
    opened(page, exported[0] / "site" / "lessons" / "06_reverse_maps.html")
    page.fill("#search", "quadrant doubling")
    page.wait_for_selector("#found a, #found:not(:empty)")
    page.fill("#search", "descriptor")
    page.wait_for_selector("#found a")
    found = [link.inner_text() for link in page.query_selector_all("#found a")]
    assert any("Reverse maps" in one for one in found) and any("xercise" in one for one in found)
    page.keyboard.press("Enter")
    page.wait_for_selector("body.ready")
    page.fill("#search", "no such word anywhere")
    page.wait_for_function("document.querySelector('#found').textContent.includes('No page contains')")


def test_the_site_is_read_on_a_phone(exported, page):
    page.set_viewport_size({"width": 390, "height": 844})
    for path in pages_of(exported[0]):
        opened(page, path)
        for place in page.query_selector_all(".film"):
            place.scroll_into_view_if_needed()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path.name


def test_lessons_that_did_not_change_are_not_run_again(exported, tmp_path):
    begin = time.monotonic()
    command("site", "--out", tmp_path)
    assert time.monotonic() - begin < 10


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_there_are_no_serious_barriers(exported, browser, theme, tmp_path):
    """What axe finds on each slide, each page, and a film's own page."""
    serious = []
    context = browser.new_context(viewport={"width": 1280, "height": 720}, color_scheme=theme)
    page = context.new_page()

    def look(where):
        serious.extend((where, *one) for one in barriers(page) if one.impact in ("serious", "critical"))

    for path in [exported[0] / f"{lesson.stem}.html" for lesson in LESSONS]:
        opened(page, path)
        for number in slides(page):
            if number % 3 == 0 or page.query_selector("section.present > section.present .film"):
                look(f"{path.name} {number}")
    for path in pages_of(exported[0]):
        opened(page, path)
        look(path.name)
    vm = open_guest("lin64_A").vm()
    page.goto(watch(lambda: vm.access(0x343C6000, user=True), vm, [0x343C6000]).save(tmp_path / "fault.html").as_uri())
    page.wait_for_selector(".kvmmmu-player")
    look("fault.html")
    context.close()
    assert not serious, serious[:5]


def test_pdfs_have_a_page_for_each_slide_and_pages_for_each_film(exported, page):
    for lesson in LESSONS:
        opened(page, exported[0] / f"{lesson.stem}.html")
        slides_there, films = page.evaluate("[kvmmmu.slides().length, document.querySelectorAll('.film-data').length]")
        content = (exported[0] / f"{lesson.stem}.pdf").read_bytes()
        count = max(int(number) for number in re.findall(rb"/Count (\d+)", content))
        assert content.startswith(b"%PDF") and count >= slides_there and count <= slides_there + 3 * films


def test_on_paper_each_film_is_a_storyboard_that_can_be_read(exported, page, tmp_path):
    path = tmp_path / "paper.html"
    path.write_text(deck(LESSONS[1], theme="light", paper=True), "utf-8")
    page.goto(path.as_uri())
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 1280, "height": 720})
    drawn = page.evaluate("""[...document.querySelectorAll(".storyboard img")].map((image) => {
      const [slide, box] = [image.closest(".slide-content").getBoundingClientRect(), image.getBoundingClientRect()];
      const caption = image.nextElementSibling.getBoundingClientRect();
      const scale = Math.min(box.width / image.naturalWidth, box.height / image.naturalHeight);
      return [scale, caption.bottom <= slide.bottom, caption.right <= slide.right, caption.height > 10];
    })""")
    assert len(drawn) > 20 and min(scale for scale, *_ in drawn) > 0.4
    assert all(inside for _, *inside in drawn)


def test_a_notebook_of_a_user_exports_too(tmp_path, page, monkeypatch):
    monkeypatch.setenv("KVMMMU_LAB_CACHE", str(tmp_path / "cache"))
    path = saved(
        tmp_path, text("# My talk\n\nHello."), code(FILM), text("## Much\n\n" + "One more word, and another. " * 60),
        code("print('line\\n' * 5000)"), code("print('x' * 300)"), code("1 / 0", None, "raises-exception"),
    )  # fmt: skip
    command("slides", path, "--out", tmp_path, "--title", "Another <title>", "--theme", "dark")
    opened(page, tmp_path / "talk.html")
    assert page.title() == "Another <title>"
    for _ in slides(page):
        page.wait_for_timeout(50)
        laid = page.evaluate(LAID_OUT)
        assert max(laid["overflow"]) <= 1 and not laid["overlaps"] and not laid["cut"]
    assert page.evaluate("document.querySelectorAll('.film-data').length") == 1
    assert "ZeroDivisionError" in page.text_content(".error")


FROM_ELSEWHERE = """\
from IPython.display import HTML, IFrame, Javascript, Math
display(HTML("<style>@import url(https://example.org/a.css); b { background: url(https://example.org/b.png) }</style><b>x</b>"))
display(HTML("<img src=https://example.org/c.png onerror=alert(1)><img src=gone.png><script src=//example.org/d.js></script>"))
display(IFrame("https://example.org", 300, 200), Javascript("fetch('https://example.org/e')"), Math(r"\\frac{1}{2}"))
"""


def test_a_notebook_that_shows_things_from_the_web_asks_nothing_of_it(tmp_path, page, monkeypatch):
    monkeypatch.setenv("KVMMMU_LAB_CACHE", str(tmp_path / "cache"))
    asks = text("## Pictures\n\n![gone](gone.png) ![web](https://example.org/f.png) $x^2$ ![lost](attachment:lost.png)")
    path = saved(tmp_path, text("# Talk"), asks, code(FROM_ELSEWHERE), code("\n".join(f"a_{n} = {n}" for n in range(60))))
    command("slides", path, "--out", tmp_path, "--pdf")
    failed = []
    page.on("requestfailed", lambda request: failed.append(request.url))
    opened(page, tmp_path / "talk.html")
    for _ in slides(page):
        page.wait_for_timeout(50)
        laid = page.evaluate(LAID_OUT)
        assert max(laid["overflow"]) <= 1 and not laid["overlaps"] and not laid["cut"]
    assert page.evaluate("document.querySelectorAll('math').length") == 2 and not failed


def test_a_watchdog_would_notice(browser):
    """So that "asked nothing" isn't said of a page that could not have asked."""
    page = browser.new_context().new_page()
    watchdog = Watchdog(page)
    page.set_content("<img src='https://example.org/x.png'>")
    page.wait_for_timeout(100)
    assert watchdog.requests == ["https://example.org/x.png"]
    page.context.close()
