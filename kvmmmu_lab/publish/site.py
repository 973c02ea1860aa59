# SPDX-License-Identifier: GPL-2.0-only
"""Export all lessons and exercises as linked pages, which work on a web server and also when opened as local files."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from .. import exercises
from ..errors import InputError
from ..exercises import Exercise
from ..files import read_text, reading
from ..lessons.course import all_lessons
from ..player.page import as_script, script, style
from ..printable import escaped_html
from ..workspace import START
from .anchors import HEADING_TAG, Anchors, plain_text
from .cell_renderer import CellRenderer, notebook_anchors
from .editions import NOTEBOOK_ONLY
from .execution import executed, read_notebook
from .links import Links
from .metadata import front_matter_cell
from .notices import Notices
from .outputs import ANSWER, CHECK, NAVIGATION, QUESTION, RenderedOutput, code_css, code_html
from .search import SearchablePage, search_script, visible_text
from .section import COMMENT
from .summary import sentences
from .template import PAGE_MODULES, asset, render, require, write
from .typesetting import BEGIN, END, SCRIPTS, Typesetter

REMOVED_INPUT, REMOVED_OUTPUT = frozenset({"remove-input", "remove_input"}), frozenset({"remove-output", "remove_output"})
"""Tags of a cell whose code, or whose output, is on no page. (What is only hidden on slides is on pages.)"""

LIVE = "live"
"""The folder of the site in which the course runs live."""

NO_PAGE = frozenset({"remove-cell", "remove_cell", NAVIGATION, NOTEBOOK_ONLY})
"""Tags of cells that are on no page."""

PRE = re.compile(r"<pre\b(?![^>]*\btabindex)")
TABLE = re.compile(r"<table\b(.*?)</table>", re.DOTALL)
EMPTY_HEAD = re.compile(r"<thead>\s*<tr>(?:\s*<th\b[^>]*>\s*</th>)+\s*</tr>\s*</thead>\s*")
EMPTY_HEADER = re.compile(r"<th\b[^>]*>\s*</th>")

START_PAGE = Path(START).name
"""The start page of the course. The site has one of its own instead."""

ABOUT_LENGTH = 90
"""A description on the start page consists of whole sentences, as many as are needed for this number of characters.

That of a lesson of the kit is the question that the lesson answers, and that of an exercise says what to write.
"""


PAPER_LETTERS = 62
"""The number of letters in a line of code in a column on paper. Longer lines take the whole width of the paper."""

PAPER_CELLS = 3
"""The number of cells in a row of a table in a column on paper. A table with more of them takes the whole width."""


@dataclass
class SiteBlock:
    """A block of a page. ``kind`` is "prose", "code", "folded" (code) or the kind of a `RenderedOutput`.

    ``id`` is the element's id. ``film`` is an index into the page's films, or -1. The ``html`` of a film is shown where scripts
    don't run. ``wide``: whether the block takes the whole width of the paper.
    """

    kind: str
    id: str
    html: str = ""
    film: int = -1
    wide: bool = False


@dataclass
class SitePage:
    """One page. ``path`` is relative to the site's root; ``kind`` is "start", "lesson", "reference" or "exercise".

    ``about`` is the description on the start page, ``command`` the command that starts an exercise, ``live`` the address
    where the page's notebook runs, relative to the root, if it does. ``headings`` lists
    (level, id, HTML) of each section heading. ``untitled``: whether no heading is of level 1. ``notices`` are about
    the page's file.
    """

    path: str
    title: str
    kind: str
    number: str = ""
    about: str = ""
    command: str = ""
    live: str = ""
    blocks: list[SiteBlock] = field(default_factory=list)
    films: list[str] = field(default_factory=list)
    headings: list[tuple[int, str, str]] = field(default_factory=list)
    anchors: Anchors = field(default_factory=Anchors)
    untitled: bool = False
    notices: Notices = field(default_factory=Notices)
    search: SearchablePage = field(default_factory=lambda: SearchablePage("", "", ""))

    def __post_init__(self) -> None:
        name = f"{self.kind.capitalize()} {int(self.number)}" if self.number.isdigit() else self.title
        self.search = SearchablePage(self.path, name, self.title)

    @property
    def up(self) -> str:
        """Return the address of the site's root, relative to the page."""
        return "../" * self.path.count("/")

    def add_prose(self, markup: str) -> None:
        """Add prose. Its headings get ids, to which links lead."""
        markup = TABLE.sub(_accessible_table, _focusable(self.anchors.mark(markup)))
        for level, attributes, inner in HEADING_TAG.findall(markup):
            id = re.search(r'\bid="([^"]*)"', attributes)
            if level in "23" and id:
                self.headings.append((int(level), html.unescape(id[1]), re.sub(r"</?a\b[^>]*>", "", inner)))
        block = self.add("prose", markup)
        self.search.add_prose(block.id, markup)

    def add_code(self, cell: Any) -> None:
        """Add the code of a cell, folded if the cell is tagged as a question, an answer or a check question."""
        markup = code_html(cell.source)
        if {QUESTION, ANSWER, CHECK} & set(cell.metadata.get("tags", ())):
            block = self.add("folded", f"<details><summary>Show the code</summary>{_focusable(markup)}</details>")
        else:
            block = self.add("code", markup)
        block.wide = _widest(cell.source) > PAPER_LETTERS
        self.search.add("code", block.id, cell.source)

    def add_output(self, output: RenderedOutput) -> None:
        """Add an output of a cell."""
        if output.film is not None:
            self.films.append(as_script(output.film.data))
            block = self.add("film", output.film.still, film=len(self.films) - 1)
            self.search.add_film(block.id, output.film.data)
        elif output.kind == "prose":
            self.add_prose(output.html)
        else:
            scrolls = output.html.startswith("<pre")  # printed text scrolls as a whole
            block = self.add(output.kind, output.html if scrolls else EMPTY_HEADER.sub("<td></td>", _focusable(output.html)))
            words = visible_text(output.html)
            block.wide = output.kind == "picture" or (output.html.startswith("<pre") and _widest(words) > PAPER_LETTERS)
            self.search.add("picture" if output.kind == "picture" else "output", block.id, words)

    def add(self, kind: str, markup: str, film: int = -1) -> SiteBlock:
        """Add a block; return it."""
        id = f"film-{film + 1}" if film >= 0 else f"block-{len(self.blocks) + 1}"
        self.blocks.append(SiteBlock(kind, id, markup, film))
        return self.blocks[-1]

    def introduce(self) -> None:
        """Take the title and the description from the prose."""
        prose = "".join(block.html for block in self.blocks if block.kind == "prose")
        heading = HEADING_TAG.search(prose)
        if heading is not None:
            self.title = self.search.title = plain_text(heading[3])
        self.untitled = "<h1" not in prose
        paragraph = re.search(r"<p>(.*?)</p>", prose[heading.end() if heading else 0 :], re.DOTALL)
        self.about = ""
        for sentence in sentences(" ".join(visible_text(paragraph[1]).split()) if paragraph else ""):
            if len(self.about) >= ABOUT_LENGTH:
                break
            self.about = f"{self.about} {sentence}".strip()


def build(
    root: Path,
    out: Path,
    *,
    execute: bool = True,
    say: Callable[[str], object] = lambda line: None,
    notices: dict[str, Notices] | None = None,
    typesetter: Typesetter | None = None,
    live: str = "",
) -> list[Path]:
    """Export the course in ``root`` as a site in the folder ``out``. Return the paths of the pages.

    ``root`` contains the folders notebooks/ and exercises/. ``notices`` is filled with the notices about each file that can't
    be shown whole, by its name. ``typesetter`` typesets formulas; without one, the pages do so when they are opened.
    ``live`` is the folder of the site in which the course runs in a browser; pages then link to it.
    Raises InputError if there are no lessons, LabError if a cell fails or a package is missing.
    """
    require(*PAGE_MODULES)
    notebooks = [path for path in sorted((root / "notebooks").glob("*.ipynb")) if path.name != START_PAGE]
    if not any(path.name[0].isdigit() for path in notebooks):
        raise InputError("folder", str(root), "a folder with notebooks/NN_name.ipynb in it")
    tasks = [exercises.load(folder) for folder in exercises.folders(root)]
    links = _links(notebooks, tasks)
    pages, notices = [], {} if notices is None else notices
    for path in notebooks:
        notebook = executed(path) if execute else read_notebook(path)
        with reading(path, "a notebook whose cells can be shown"):
            pages.append(_notebook(path, notebook, links, notices.setdefault(path.name, Notices()), live=bool(live)))
        say(f"  {pages[-1].path}: {pages[-1].title} ({len(pages[-1].films)} films)")
    pages += [_exercise(task, links, notices.setdefault(_readme(task), Notices())) for task in tasks]
    write(out / "search.js", search_script(page.search for page in pages))
    start = SitePage("index.html", "kvmmmu_lab: shadow page tables, step by step", "start")
    if live:
        for page, file in zip([start, *pages], [START, *_notebook_files(notebooks, tasks)], strict=True):
            page.live = f"{live}/lab/index.html?path={quote(file)}"
    start.headings = [(2, "lessons", "Lessons"), (2, "exercises", "Exercises")]
    typesetter = typesetter or Typesetter(use_browser=False)
    return [_write(out, page, pages, number, typesetter) for number, page in enumerate([start, *pages], -1)]


def _readme(task: Exercise) -> str:
    """Return the name of an exercise's text."""
    return f"{task.folder.name}/README.md"


def _notebook_files(notebooks: Iterable[Path], tasks: Iterable[Exercise]) -> list[str]:
    """Return the notebook of each page, relative to the course's root."""
    lessons = [f"notebooks/{path.name}" for path in notebooks]
    return [*lessons, *(f"exercises/{task.folder.name}/{task.name}.ipynb" for task in tasks)]


def _links(paths: Iterable[Path], tasks: Iterable[Exercise]) -> Links:
    """Return the pages of the site by the names of their notebooks and texts."""
    notebooks = {path.name: path for path in paths}
    addresses = {name: f"lessons/{path.stem}.html" for name, path in notebooks.items()}
    for task in tasks:
        page = f"exercises/{task.folder.name}.html"
        addresses |= {_readme(task): page, f"{task.folder.name}/{task.name}.ipynb": page}
    addresses |= {START_PAGE: "index.html", "exercises/README.md": "index.html"}
    texts = {_readme(task): task.folder / "README.md" for task in tasks}

    def anchors(name: str) -> Anchors:
        if name in notebooks:
            return notebook_anchors(read_notebook(notebooks[name]))
        return notebook_anchors(_as_notebook(read_text(texts[name]))) if name in texts else Anchors()

    return Links(addresses, anchors)


def _notebook(path: Path, notebook: Any, links: Links, notices: Notices, *, live: bool) -> SitePage:
    """Return the page of a lesson, whose name begins with its number, or of another notebook, such as the museum."""
    lesson = path.stem.partition("_")[0]
    kind, lesson = ("lesson", lesson) if lesson.isdigit() else ("reference", "")
    page = SitePage(f"lessons/{path.stem}.html", path.stem, kind, lesson, notices=notices)
    renderer = CellRenderer(notebook, path.parent, notices, links, up=page.up, page=True, live=live)
    skip = front_matter_cell(notebook)
    for number, cell in enumerate(notebook.cells, 1):
        tags = set(cell.metadata.get("tags", ()))
        hidden = tags & NO_PAGE or cell.metadata.get("slideshow", {}).get("slide_type") == "notes"
        if hidden or number == skip or not COMMENT.sub("", renderer.text(number)).strip():
            continue
        if cell.cell_type == "code":
            if not tags & REMOVED_INPUT:
                page.add_code(cell)
            for output in [] if tags & REMOVED_OUTPUT else renderer.outputs(number):
                page.add_output(output)
        elif cell.cell_type == "raw":
            raw = renderer.raw(number)
            if raw is not None:
                page.add_output(raw)
        else:
            page.add_prose(renderer.prose(number))
    page.introduce()
    page.about = next((known.asks for known in all_lessons() if known.notebook.name == path.name), page.about)
    return page


def _exercise(task: Exercise, links: Links, notices: Notices) -> SitePage:
    page = SitePage(f"exercises/{task.folder.name}.html", task.folder.name, "exercise", task.number, notices=notices)
    page.command = f"kvmmmu-lab watch {task.name}"
    notebook = _as_notebook(read_text(task.folder / "README.md"))
    page.add_prose(CellRenderer(notebook, task.folder, notices, links, up=page.up, page=True).prose(1))
    page.introduce()
    page.about = f"{task.points} points. {task.about or page.about}"
    return page


def _as_notebook(text: str) -> Any:
    """Return a notebook with one Markdown cell."""
    from nbformat.v4 import new_markdown_cell, new_notebook

    return new_notebook(cells=[new_markdown_cell(text)])


def _focusable(markup: str) -> str:
    """Make each ``pre`` focusable: every element that scrolls must be reachable with the keyboard."""
    return PRE.sub('<pre tabindex="0"', markup)


def _accessible_table(found: re.Match[str]) -> str:
    """Make a table focusable, since it may scroll, and mark it if it takes the whole width of the paper.

    Header cells without text become ordinary cells; a header without any text is left out.
    """
    table = EMPTY_HEADER.sub("<td></td>", EMPTY_HEAD.sub("", found[0]))
    cells = max((len(re.findall(r"<t[hd]\b", row)) for row in found[1].split("<tr")), default=0)
    wide = ' class="wide"' if cells > PAPER_CELLS else ""
    return f'<table tabindex="0"{wide}{table.removeprefix("<table")}'


def _widest(text: str) -> int:
    """Return the number of letters in the longest line."""
    return max(map(len, text.splitlines()), default=0)


def _write(out: Path, page: SitePage, pages: list[SitePage], number: int, typesetter: Typesetter) -> Path:
    """Write page ``number`` (-1: the start page) with links to its neighbours; return its path."""
    import nbformat

    resources = {
        "page": page,
        "pages": pages,
        "up": page.up,
        "previous": pages[number - 1] if number > 0 else None,
        "next": pages[number + 1] if number + 1 < len(pages) else None,
        "title": escaped_html(page.title),
        "player_css": style() if page.films else "",
        "player_js": script() if page.films else "",
        "code_css": code_css(),
        "site_css": asset("theme.css", "content.css", "site.css", *(["storyboard.css"] if page.films else [])),
        "head_js": asset("theme.js"),
        "site_js": asset("storyboard.js", "search.js", "site.js"),
        "begin": BEGIN,
        "end": END,
        "scripts": SCRIPTS,
    }
    markup = render("kvmmmu_site", nbformat.v4.new_notebook(), resources)
    return write(out / page.path, typesetter.page(markup, page.notices))
