# SPDX-License-Identifier: GPL-2.0-only
"""The pages of the site, without a browser."""

import json
import re
import shutil

import pytest
from bs4 import BeautifulSoup

from kvmmmu_lab.lessons.course import all_lessons
from kvmmmu_lab.publish.editions import exported_text
from kvmmmu_lab.publish.execution import read_notebook
from kvmmmu_lab.publish.notices import Notices
from kvmmmu_lab.publish.search import SearchablePage, visible_text
from kvmmmu_lab.publish.site import NO_PAGE, build
from kvmmmu_lab.workspace import course_root

from .courses import small_course


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of a small site, and the notices about its sources."""
    out, notices = tmp_path_factory.mktemp("site"), dict[str, Notices]()
    build(small_course(tmp_path_factory.mktemp("course")), out, execute=False, notices=notices)
    return out, {name: [str(one) for one in found] for name, found in notices.items() if found}


@pytest.fixture(scope="module")
def first(site):
    return BeautifulSoup((site[0] / "lessons" / "00_first.html").read_text("utf-8"), "html.parser")


def links(page):
    return {link.get_text(): link["href"] for link in page.select("main .prose a")}


def test_links_by_name_lead_to_pages_and_headings(site, first):
    assert links(first) == {
        "Second": "../lessons/06_second.html#A-heading-%C3%A9",
        "task": "../exercises/01_split.html",
        "web": "https://example.org/x",
        "all": "../index.html",
    }
    second = BeautifulSoup((site[0] / "lessons" / "06_second.html").read_text("utf-8"), "html.parser")
    assert links(second) == {
        "one film": "../lessons/00_first.html#Watch-two",
        "nothing": "../lessons/00_first.html",
        "the first": "../lessons/00_first.html",
    }
    assert [one["id"] for one in second.select("h1, h2")] == ["Lesson-6:-The-second", "A-heading-é"]


def test_a_link_that_leads_nowhere_is_a_notice(site):
    assert site[1] == {
        "00_first.ipynb": [
            "cell 13: the link to 08_third.ipynb is left out, since the file is not part of this export; its text is kept"
        ],
        "06_second.ipynb": ["cell 2: 00_first.ipynb has no heading Lost, so the link leads to its beginning"],
    }


def test_a_page_does_not_say_what_only_a_notebook_says(first):
    said = first.select_one("main").get_text(" ")
    assert "Films play here." in said and "Gone" in said
    for words in ("Shift", "run the next", "cell only", "Next"):
        assert words not in said


def test_a_page_has_contents_and_folded_code(first):
    assert [link["href"] for link in first.select(".contents a")] == ["#Watch-one", "#Watch-two"]
    assert first.select_one(".folded details pre").get_text().strip() == "ask()"
    assert [film["id"] for film in first.select(".film")] == ["film-1", "film-2", "film-3"]


def test_the_start_page_lists_everything_without_scripts(site):
    start = BeautifulSoup((site[0] / "index.html").read_text("utf-8"), "html.parser")
    assert [link["href"] for link in start.select(".map a")] == [
        "lessons/00_first.html",
        "lessons/06_second.html",
        "exercises/01_split.html",
        "exercises/02_walk.html",
    ]
    first, *_ = start.select(".map li")
    assert first.select_one("strong").get_text() == "Lesson 0: The first"
    assert first.select_one("p").get_text() == "A program reads gfn 0x29af. It is short."
    split = start.select(".map li")[2]
    assert split.select_one("strong").get_text() == "Exercise 01: Split an address"
    assert re.fullmatch(r"\d+ points\. Split an address into .*\.", split.select_one("p").get_text())
    assert start.select_one(".begin a")["href"] == "lessons/00_first.html"


def index(folder):
    text = (folder / "search.js").read_text("utf-8")
    return json.loads(text[text.index("[") : text.rindex(";")])


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("#248:454", ["text", "Watch-one", "Watch one"]),
        ("in a table", ["text", "Watch-one", "Watch one"]),
        ("the code of a cell", ["code", "block-4", "Watch one"]),
        ("a printed result", ["output", "block-5", "Watch one"]),
        ("Which one?", ["output", "block-9", "Watch one"]),
        ("Films play here.", ["text", "block-2", ""]),
        ("Watch two", ["heading", "Watch-two", "Watch two"]),
    ],
)
def test_the_index_says_where_a_text_is(site, words, found):
    path, name, title, headings, passages = index(site[0])[0]
    assert (path, name, title) == ("lessons/00_first.html", "Lesson 0", "Lesson 0: The first")
    assert found in [[kind, id, headings[heading]] for kind, id, heading, text in passages if words in text]


def test_the_index_has_each_step_of_a_film_with_what_it_changes(site, first):
    film = json.loads(first.select(".film-data")[0].get_text())
    steps = [step for chapter in film["chapters"] for step in chapter["steps"]]
    passages = {id: text for kind, id, _, text in index(site[0])[0][4] if kind == "step"}
    for number, step in enumerate(steps):
        text = passages[f"film-1-step-{number}"]
        assert " ".join(step["words"].split()) in text and step["place"] in text
        assert all(change["name"] in text and change["new"] in text for change in step["changes"])


def test_the_text_of_markup_for_the_index():
    markup = "<style>p{}</style><p>gfn <code>0x61c9</code>;</p>b<em>o</em>ld &lt;<img alt='a plan'><svg><text>PT</text></svg>"
    assert visible_text(markup).split() == ["gfn", "0x61c9;", "bold", "<", "a", "plan", "PT"]
    page = SearchablePage("a.html", "A", "A page")
    page.add_prose("block-1", '<p>before</p><h2 id="x">X</h2><p>below</p>')
    assert [(one.kind, one.id, one.text) for one in page.passages] == [
        ("text", "block-1", "before"), ("heading", "x", "X"), ("text", "x", "below")
    ]  # fmt: skip


TALK = re.compile(r"\bcells?\b|<kbd>shift|kernel *>|\brestart\b", re.IGNORECASE)
"""What makes sense only where cells run."""


@pytest.mark.parametrize("path", sorted((course_root() / "notebooks").glob("[0-9]*.ipynb")), ids=lambda path: path.stem)
def test_lessons_say_nothing_about_running_cells_on_their_pages(path):
    for cell in read_notebook(path).cells:
        hidden = NO_PAGE & set(cell.metadata.get("tags", ())) or cell.metadata.get("slideshow", {}).get("slide_type") == "notes"
        if cell.cell_type == "markdown" and not hidden:
            text = re.sub(r"<!--.*?-->", "", exported_text(cell.source, print, page=True), flags=re.DOTALL)
            assert not [text[max(0, one.start() - 40) : one.end() + 40] for one in TALK.finditer(text)]


def test_without_a_live_course_no_page_speaks_of_one(site):
    assert not [page for page in site[0].rglob("*.html") if "live</a>" in page.read_text("utf-8").lower()]


def test_each_page_opens_its_own_notebook_live(tmp_path):
    course = small_course(tmp_path / "course")
    out = tmp_path / "out"
    found = {}
    for path in build(course, out, execute=False, live="live"):
        page = BeautifulSoup(path.read_text("utf-8"), "html.parser")
        (link,) = page.select("p.live a")
        if path.parent == out:
            found |= {one["aria-label"]: one["href"].partition("?path=")[2] for one in page.select(".map .run")}
            begin = page.select_one(".begin a")
            assert (begin.get_text(), begin["href"]) == ("Run Lesson 0: The first", page.select_one(".map .run")["href"])
        address, _, notebook = link["href"].partition("?path=")
        assert (path.parent / address).resolve() == out / "live" / "lab" / "index.html"
        found[path.relative_to(out).as_posix()] = notebook
    assert found == {
        "Run Lesson 0: The first": "notebooks/00_first.ipynb",
        "Run Lesson 6: The second": "notebooks/06_second.ipynb",
        "Run Exercise 01: Split an address": "exercises/01_split/split.ipynb",
        "Run Exercise 02: Walk the guest's tables": "exercises/02_walk/walk.ipynb",
        "index.html": "notebooks/start.ipynb",
        "lessons/00_first.html": "notebooks/00_first.ipynb",
        "lessons/06_second.html": "notebooks/06_second.ipynb",
        "exercises/01_split.html": "exercises/01_split/split.ipynb",
        "exercises/02_walk.html": "exercises/02_walk/walk.ipynb",
    }
    assert all((course / notebook).is_file() for page, notebook in found.items() if page != "index.html")
    task = BeautifulSoup((out / "exercises" / "01_split.html").read_text("utf-8"), "html.parser")
    begin = task.select_one("p.live").get_text()
    assert re.match(r"Open live .*\. Or on your computer, with the kit installed: kvmmmu-lab watch split$", begin)
    assert not task.select("p.command") and "Open live" not in task.select_one("main .prose").get_text()


def test_a_lesson_of_the_kit_is_described_by_its_question(tmp_path):
    root = course_root()
    (tmp_path / "notebooks").mkdir()
    for name in ("00_first_fault", "06_reverse_maps"):
        shutil.copy(root / "notebooks" / f"{name}.ipynb", tmp_path / "notebooks")
    build(tmp_path, tmp_path / "out", execute=False, live="live")
    start = BeautifulSoup((tmp_path / "out" / "index.html").read_text("utf-8"), "html.parser")
    said = [one.select_one("p").get_text() for one in start.select(".map li")]
    assert said == [lesson.asks for lesson in all_lessons() if lesson.number in (0, 6)]
    first = (tmp_path / "out" / "lessons" / "00_first_fault.html").read_text("utf-8")
    assert "choose <em>Open live</em>" in first and "as a notebook" not in first
