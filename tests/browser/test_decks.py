# SPDX-License-Identifier: GPL-2.0-only
"""Decks and the site of the course in a real browser, from their files, without a network."""

import os
import re
import subprocess
import sys
from urllib.parse import unquote

import pytest
from filelock import FileLock

from kvmmmu_lab import open_guest
from kvmmmu_lab.labs import watch
from kvmmmu_lab.printable import escaped_html
from kvmmmu_lab.workspace import course_root

from ..publish.books import FILM, code, saved, text
from ..publish.pdf import Pdf
from ..share import one_in
from .barriers import barriers
from .conftest import Watchdog
from .deck_measures import SIZES, grows_less, measured

pytestmark = pytest.mark.slow

LESSONS = sorted((course_root() / "notebooks").glob("[0-9]*.ipynb"))
SIXTH = next(path for path in LESSONS if path.stem.startswith("06"))

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
  const boxes = [...content.querySelectorAll(".element")].map((part) => part.getBoundingClientRect());
  const inside = (box) => box.left >= -1 && box.right <= innerWidth + 1 && box.top >= -1 && box.bottom <= innerHeight + 1;
  return {
    overflow: [content.scrollWidth - content.clientWidth, content.scrollHeight - content.clientHeight],
    overlaps: boxes.some((box, n) => n && box.top < boxes[n - 1].bottom - 1),
    outside: boxes.filter((box) => !inside(box)).length,
    cut: [...content.querySelectorAll("pre, .picture > .rich")].filter((one) => one.scrollWidth > one.clientWidth + 2).length,
  };
}"""


class Exports:
    """Decks, their PDFs and the site, as the commands make them: each when it is first asked for, once for all workers."""

    def __init__(self, folder):
        self.folder = folder

    def _once(self, name, *arguments):
        done = self.folder / f"{name}.done"
        with FileLock(self.folder / f"{name}.lock"):
            if not done.exists():
                command(*arguments)
                done.touch()

    def deck(self, path):
        """The deck of a lesson; its PDF is beside it."""
        self._once(path.stem, "slides", path, "--out", self.folder, "--pdf")
        return self.folder / f"{path.stem}.html"

    @property
    def runs(self):
        """The notebooks that were run, and when."""
        return {path: path.stat().st_mtime_ns for path in (self.folder / "cache").rglob("*.ipynb")}

    @property
    def pages(self):
        """The pages of the site."""
        self._once("site", "site", "--out", self.folder / "site")
        return sorted((self.folder / "site").rglob("*.html"))


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    folder = tmp_path_factory.getbasetemp()
    folder = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "decks"
    folder.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KVMMMU_LAB_CACHE", str(folder / "cache"))
        yield Exports(folder)


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


@pytest.mark.parametrize("lesson", one_in(20, LESSONS, lambda path: path.stem, pytest.mark.whole))
def test_a_room_can_read_a_deck_and_one_key_walks_it(exported, browser, lesson):
    """Nothing is small, cut off or covered; drawings are large; each slide has a title. See `deck_measures`."""
    path = exported.deck(lesson)
    assert path.stat().st_size <= 3_000_000
    small, large = (measured(browser, path, size, walk=size == SIZES[0]) for size in SIZES)
    assert len(small.slides) > 20
    assert not small.faults + large.faults + grows_less(small, large)
    pdf = Pdf(path.with_suffix(".pdf"))
    assert pdf.tagged and len(pdf.outline) > 5
    assert (pdf.thin_pages(), pdf.smallest >= 9) == ([], True)


def test_a_deck_has_an_overview_notes_and_a_dark_side(exported, page):
    opened(page, exported.deck(SIXTH))
    assert page.evaluate("document.querySelectorAll('aside.notes').length") > 5
    page.keyboard.press("o")
    assert page.evaluate("kvmmmu.deck.isOverview()")
    page.keyboard.press("o")
    colour = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(colour)
    page.keyboard.press("d")
    assert page.evaluate(colour) != light
    assert page.query_selector(".progress").is_visible()


@pytest.mark.parametrize("share", one_in(3, [9, 5, 1], rest=pytest.mark.whole))
def test_every_page_of_the_site_plays_and_asks_nothing_of_a_network(exported, page, share):
    films = 0
    for path in exported.pages[::share]:
        opened(page, path)
        for place in page.query_selector_all(".film"):
            place.scroll_into_view_if_needed()
            place.wait_for_selector(".kvmmmu-player")
            total, end, begin = place.evaluate(TO_THE_END_AND_BACK)
            assert (end, begin) == (total - 1, 0)
            films += 1
    assert films > 20 / share


def test_every_link_of_the_site_leads_somewhere(exported):
    broken = []
    for path in exported.pages:
        for address in re.findall(r'<a [^>]*href="([^"]+)"', path.read_text("utf-8")):
            place, _, part = address.partition("#")
            target = (path.parent / place).resolve() if place else path
            if place.startswith("http"):
                continue
            if not target.is_file() or (part and f'id="{escaped_html(unquote(part))}"' not in target.read_text("utf-8")):
                broken.append((path.name, address))
    assert not broken and exported.pages


TYPING = """async (queries) => {
  const field = document.querySelector("#search");
  const taken = [];
  for (const query of queries)
    for (let end = 1; end <= query.length; end += 1) {
      field.value = query.slice(0, end);
      const begin = performance.now();
      field.dispatchEvent(new Event("input"));
      await new Promise((resolve) => setTimeout(resolve)); // the results are there when all promises are settled
      taken.push(performance.now() - begin);
    }
  return taken;
}"""
"""Types queries letter by letter; returns the milliseconds of each key."""


def test_search_finds_lessons_and_exercises(exported, page):
    opened(page, next(path for path in exported.pages if path.stem == SIXTH.stem))
    page.fill("#search", "quadrant doubling")
    page.wait_for_selector("#found:not([hidden])")
    page.fill("#search", "descriptor")
    page.wait_for_selector("#found a")
    found = [link.inner_text() for link in page.query_selector_all("#found a")]
    assert any("Lesson 6" in one for one in found) and any("Exercise" in one for one in found)
    queries = ["descriptor", "#248:454", "gfn 0x29af", "the host changes"]
    rounds = [page.evaluate(TYPING, queries) for _ in range(4)]  # another process may interrupt one
    assert max(map(min, zip(*rounds, strict=True))) <= 50
    page.keyboard.press("Enter")
    page.wait_for_selector("body.ready")
    page.fill("#search", "no such word anywhere")
    page.wait_for_function("document.querySelector('#found').textContent.includes('Nothing contains')")


def test_the_site_is_read_on_a_phone(exported, page):
    page.set_viewport_size({"width": 390, "height": 844})
    for path in exported.pages:
        opened(page, path)
        for place in page.query_selector_all(".film"):
            place.scroll_into_view_if_needed()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path.name


def test_lessons_that_did_not_change_are_not_run_again(exported, tmp_path):
    assert exported.pages and exported.runs
    before = exported.runs
    command("site", "--out", tmp_path)
    assert exported.runs == before


@pytest.mark.parametrize("share", one_in(3, [18, 9, 1], rest=pytest.mark.whole))
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_there_are_no_serious_barriers(exported, browser, theme, share, tmp_path):
    """What axe finds on slides, pages, and a film's own page.

    One in ``share`` of the decks, on every fourth slide, and each page, in one theme.
    """
    serious = []
    context = browser.new_context(viewport={"width": 1280, "height": 720}, color_scheme=theme)
    page = context.new_page()

    def look(where):
        serious.extend((where, *one) for one in barriers(page) if one.impact in ("serious", "critical"))

    half = slice(theme == "dark", None, 2)
    for path in [exported.deck(lesson) for lesson in LESSONS[::share][half]]:
        opened(page, path)
        for number in slides(page):
            if number % 4 == 0:
                look(f"{path.name} {number}")
    for path in exported.pages[half]:
        opened(page, path)
        look(path.name)
    vm = open_guest("lin64_A").vm()
    page.goto(watch(lambda: vm.access(0x343C6000, user=True), vm, [0x343C6000]).save(tmp_path / "fault.html").as_uri())
    page.wait_for_selector(".kvmmmu-player")
    look("fault.html")
    context.close()
    assert not serious, serious[:5]


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
