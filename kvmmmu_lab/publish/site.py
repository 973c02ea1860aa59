# SPDX-License-Identifier: GPL-2.0-only
"""Export all lessons and exercises as linked pages, which work on a web server and also when opened as local files."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import exercises
from ..errors import InputError
from ..exercises import Exercise
from ..files import read_text, reading
from ..player.page import as_script, script, style
from ..printable import escaped_html
from .execution import executed, read_notebook
from .html import markdown_html
from .outputs import ANSWER, NAVIGATION, QUESTION, code_css, code_html, rendered_outputs
from .summary import COMMENT, sentences, split_heading
from .template import PAGE_MODULES, asset, render, require, write

FOCUSABLE_PRE = '<pre tabindex="0">'
"""The start tag of a focusable ``pre``. Every element that scrolls must be reachable with the keyboard."""

ABOUT_LENGTH = 90
"""A description on the start page consists of whole sentences, as many as are needed for this number of characters."""


@dataclass
class SiteBlock:
    """A block of a page. ``kind`` is "prose", "code", "folded" (code) or the kind of a `RenderedOutput`.

    ``film`` is an index into the page's films, or -1. The ``html`` of a film is shown where scripts don't run.
    """

    kind: str
    html: str = ""
    film: int = -1


@dataclass
class SitePage:
    """One page. ``path`` is relative to the site's root; ``kind`` is "start", "lesson" or "exercise".

    ``about`` is the description on the start page, ``command`` the command that starts an exercise. ``headings`` lists
    an (id, text) pair for each section heading; ``text`` is the searchable text.
    """

    path: str
    title: str
    kind: str
    number: str = ""
    about: str = ""
    command: str = ""
    blocks: list[SiteBlock] = field(default_factory=list)
    films: list[str] = field(default_factory=list)
    headings: list[tuple[str, str]] = field(default_factory=list)
    text: str = ""


def build(root: Path, out: Path, *, execute: bool = True, say: Callable[[str], object] = lambda line: None) -> list[Path]:
    """Export the course in ``root`` as a site in the folder ``out``. Return the paths of the pages.

    ``root`` contains the folders notebooks/ and exercises/. Raises InputError if there are no lessons, LabError if a
    cell fails or a package is missing.
    """
    require(*PAGE_MODULES)
    lessons = sorted((root / "notebooks").glob("[0-9]*.ipynb"))
    if not lessons:
        raise InputError("folder", str(root), "a folder with notebooks/NN_name.ipynb in it")
    tasks = [exercises.load(folder) for folder in exercises.folders(root)]
    links = {path.name: f"lessons/{path.stem}.html" for path in lessons}
    links |= {f"{task.folder.name}/README.md": f"exercises/{task.folder.name}.html" for task in tasks}
    pages = []
    for path in lessons:
        notebook = executed(path) if execute else read_notebook(path)
        with reading(path, "a notebook whose cells can be shown"):
            pages.append(_lesson(path, notebook, links))
        say(f"  {pages[-1].path}: {pages[-1].title} ({len(pages[-1].films)} films)")
    pages += [_exercise(task, links) for task in tasks]
    write(out / "search.js", _search_index(pages))
    start = SitePage("index.html", "kvmmmu_lab: shadow page tables, step by step", "start")
    return [_write(out, start, pages, -1), *(_write(out, page, pages, number) for number, page in enumerate(pages))]


def _lesson(path: Path, notebook: Any, links: dict[str, str]) -> SitePage:
    page = SitePage(f"lessons/{path.stem}.html", path.stem, "lesson", path.stem.partition("_")[0])
    cells = [cell for cell in notebook.cells if NAVIGATION not in cell.metadata.get("tags", ())]
    for cell in cells:
        if cell.metadata.get("slideshow", {}).get("slide_type") == "notes" or not cell.source.strip():
            continue
        if cell.cell_type == "code":
            page.blocks.append(_code_block(cell))
            page.blocks += _output_blocks(page, cell, path.parent)
        else:
            _add_prose(page, markdown_html(cell.source, path.parent, cell.get("attachments"), _relative(links)))
            page.text += f" {COMMENT.sub('', cell.source)}"
    first = next((cell.source for cell in cells if cell.cell_type == "markdown"), path.stem)
    title, _, body = split_heading(first)
    page.title, page.about = re.sub(r"[`*]", "", title or path.stem), _about(body)
    return page


def _code_block(cell: Any) -> SiteBlock:
    """Return the code of a cell, folded if the cell is tagged as a question or an answer."""
    markup = code_html(cell.source)
    if not {QUESTION, ANSWER} & set(cell.metadata.get("tags", ())):
        return SiteBlock("code", markup)
    markup = markup.replace("<pre>", FOCUSABLE_PRE)
    return SiteBlock("folded", f"<details><summary>Show the code</summary>{markup}</details>")


def _output_blocks(page: SitePage, cell: Any, folder: Path) -> Iterator[SiteBlock]:
    """Yield the outputs of a cell as blocks, and add its films to the page's list of films."""
    for output in rendered_outputs(cell, folder):
        page.text += f" {COMMENT.sub('', output.markdown)}"
        if output.film is None:
            yield SiteBlock(output.kind, output.html)
        else:
            page.films.append(as_script(output.film.data))
            yield SiteBlock("film", output.film.still, len(page.films) - 1)


def _exercise(task: Exercise, links: dict[str, str]) -> SitePage:
    text = read_text(task.folder / "README.md")
    title, _, body = split_heading(text)
    about = f"{task.points} points. {_about(body)}"
    page = SitePage(f"exercises/{task.folder.name}.html", re.sub(r"[`*]", "", title), "exercise", task.number, about)
    page.command = f"kvmmmu-lab watch {task.name}"
    _add_prose(page, markdown_html(text, task.folder, None, _relative(links)))
    page.text = text
    return page


def _add_prose(page: SitePage, markup: str) -> None:
    """Add prose to a page, and give its headings ids for links."""

    def with_id(found: re.Match[str]) -> str:
        level, inner = found[1], found[2]
        name = re.sub(r"[^a-z0-9]+", "-", re.sub(r"<[^>]+>|&\w+;", "", inner).lower()).strip("-") or "part"
        taken = {one for one, _ in page.headings}
        while name in taken:
            name += "-"
        if level == "2":
            page.headings.append((name, re.sub(r"<[^>]+>", "", inner)))
        return f'<h{level} id="{name}">{inner}</h{level}>'

    markup = markup.replace("<pre>", FOCUSABLE_PRE).replace("<table>", '<table tabindex="0">')
    page.blocks.append(SiteBlock("prose", re.sub(r"<h([1-4])[^>]*>(.*?)</h\1>", with_id, markup, flags=re.DOTALL)))


def _relative(links: dict[str, str]) -> Callable[[str], str | None]:
    """Return a function that maps a link in a lesson or exercise to a page's address, or to None if there is no page."""

    def page_address(address: str) -> str | None:
        file, _, section = address.partition("#")
        name = "/".join(Path(file).parts[-2:]) if file.endswith("README.md") else Path(file).name
        target = links.get(name)
        return None if target is None else f"../{target}{'#' * bool(section)}{section}"

    return page_address


def _about(body: str) -> str:
    """Return the first sentences of a text, without Markdown markup."""
    first = " ".join(re.sub(r"[*`_]|\[([^\]]*)\]\([^)]*\)", r"\1", body).split("\n\n")[0].split())
    about = ""
    for sentence in sentences(first):
        if len(about) >= ABOUT_LENGTH:
            break
        about = f"{about} {sentence}".strip()
    return about


def _search_index(pages: list[SitePage]) -> str:
    """Return the text of all pages as a script, because a page opened as a local file can't fetch data."""
    rows = [[page.path, page.title, re.sub(r"[`*#\s]+", " ", page.text).strip()] for page in pages]
    return f"// SPDX-License-Identifier: GPL-2.0-only\nwindow.kvmmmuIndex = {json.dumps(rows, ensure_ascii=False)};\n"


def _write(out: Path, page: SitePage, pages: list[SitePage], number: int) -> Path:
    """Write page ``number`` (-1: the start page) with links to its neighbours; return its path."""
    import nbformat

    resources = {
        "page": page,
        "pages": pages,
        "up": "../" * page.path.count("/"),
        "previous": pages[number - 1] if number > 0 else None,
        "next": pages[number + 1] if number + 1 < len(pages) else None,
        "title": escaped_html(page.title),
        "player_css": style() if page.films else "",
        "player_js": script() if page.films else "",
        "code_css": code_css(),
        "site_css": asset("theme.css", "site.css"),
        "site_js": asset("site.js"),
    }
    return write(out / page.path, render("kvmmmu_site", nbformat.v4.new_notebook(), resources))
