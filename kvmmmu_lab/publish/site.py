# SPDX-License-Identifier: GPL-2.0-only
"""All lessons and exercises as pages that link to each other: for any web server, under any path, or from a folder."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import exercises
from ..errors import InputError
from ..exercises import Exercise
from ..player.page import script, style
from .condense import COMMENT, beside_question, parted, sentences
from .deck import PAGES, needs, render, text, write
from .execute import executed, notebook
from .html import prose_html
from .outputs import Shown, code_html, colours, shown

FOCUSABLE = '<pre tabindex="0">'
"""It may scroll, also for who has no mouse."""

ABOUT = 90
"""Characters of a lesson's beginning on the start page, at least: whole sentences."""


@dataclass
class Block:
    """A piece of a page: "prose", "code", or what `outputs.Shown` has."""

    kind: str
    html: str = ""
    film: int = -1


@dataclass
class Page:
    """A page. ``path`` is where it lies, from the site's root."""

    path: str
    title: str
    kind: str
    number: str = ""
    about: str = ""
    command: str = ""
    blocks: list[Block] = field(default_factory=list)
    films: list[str] = field(default_factory=list)
    headings: list[tuple[str, str]] = field(default_factory=list)
    words: str = ""


def build(root: Path, out: Path, *, execute: bool = True, say: Callable[[str], object] = lambda line: None) -> list[Path]:
    """Write the site of the course in ``root`` (with notebooks/ and exercises/) to ``out``; the pages that were written.

    Raises InputError for a folder without a course, LabError for a cell that fails or a missing package.
    """
    needs(*PAGES)
    lessons = sorted((root / "notebooks").glob("[0-9]*.ipynb"))
    if not lessons:
        raise InputError("folder", str(root), "a folder with notebooks/NN_name.ipynb in it")
    tasks = [exercises.load(folder) for folder in exercises.folders(root)]
    links = {path.name: f"lessons/{path.stem}.html" for path in lessons}
    links |= {f"{task.folder.name}/README.md": f"exercises/{task.folder.name}.html" for task in tasks}
    pages = []
    for path in lessons:
        pages.append(_lesson(path, executed(path) if execute else notebook(path), links))
        say(f"  {pages[-1].path}: {pages[-1].title} ({len(pages[-1].films)} films)")
    pages += [_exercise(task, links) for task in tasks]
    write(out / "search.js", _index(pages))
    written = [_write(out, _start(pages), pages, -1)]
    return [*written, *(_write(out, page, pages, number) for number, page in enumerate(pages))]


def _lesson(path: Path, found: Any, links: dict[str, str]) -> Page:
    page = Page(f"lessons/{path.stem}.html", path.stem, "lesson", path.stem.partition("_")[0])
    for cell in found.cells:
        if cell.metadata.get("slideshow", {}).get("slide_type") == "notes" or not cell.source.strip():
            continue
        if cell.cell_type == "code":
            things = list(shown(cell, path.parent))
            page.blocks += [_code(cell.source, {thing.kind for thing in things}), *(_shown(page, thing) for thing in things)]
        else:
            _prose(page, prose_html(cell.source, path.parent, cell.get("attachments"), _relative(links)))
            page.words += f" {COMMENT.sub('', cell.source)}"
    title, _, body = parted(next((cell.source for cell in found.cells if cell.cell_type == "markdown"), path.stem))
    page.title, page.about = re.sub(r"[`*]", "", title or path.stem), _about(body)
    return page


def _code(source: str, kinds: set[str]) -> Block:
    """A cell's code; folded away where it only asks what the reader sees right below, or compares."""
    markup = code_html(source)
    if "answer" in kinds or ("question" in kinds and not beside_question(source)):
        return Block("folded", f"<details><summary>code</summary>{markup.replace('<pre>', FOCUSABLE)}</details>")
    return Block("code", markup)


def _shown(page: Page, thing: Shown) -> Block:
    if thing.film is None:
        return Block(thing.kind, thing.html)
    page.films.append(thing.film.film)
    return Block("film", thing.film.still, len(page.films) - 1)


def _exercise(task: Exercise, links: dict[str, str]) -> Page:
    said = (task.folder / "README.md").read_text("utf-8")
    title, _, body = parted(said)
    about = f"{task.points} points. {_about(body)}"
    page = Page(f"exercises/{task.folder.name}.html", re.sub(r"[`*]", "", title), "exercise", task.number, about)
    page.command = f"kvmmmu-lab watch {task.name}"
    _prose(page, prose_html(said, task.folder, None, _relative(links)))
    page.words = said
    return page


def _prose(page: Page, markup: str) -> None:
    """Prose, its headings with ids by which they can be linked to."""

    def heading(found: re.Match[str]) -> str:
        level, inner = found[1], found[2]
        name = re.sub(r"[^a-z0-9]+", "-", re.sub(r"<[^>]+>|&\w+;", "", inner).lower()).strip("-") or "part"
        taken = {one for one, _ in page.headings}
        while name in taken:
            name += "-"
        if level == "2":
            page.headings.append((name, re.sub(r"<[^>]+>", "", inner)))
        return f'<h{level} id="{name}">{inner}</h{level}>'

    markup = markup.replace("<pre>", FOCUSABLE).replace("<table>", '<table tabindex="0">')  # they may scroll
    page.blocks.append(Block("prose", re.sub(r"<h([1-4])[^>]*>(.*?)</h\1>", heading, markup, flags=re.DOTALL)))


def _relative(links: dict[str, str]) -> Callable[[str], str | None]:
    """From a link in a lesson or an exercise to the page for it; None where the site has none."""

    def to(address: str) -> str | None:
        place, _, part = address.partition("#")
        name = "/".join(Path(place).parts[-2:]) if place.endswith("README.md") else Path(place).name
        target = links.get(name)
        return None if target is None else f"../{target}{'#' * bool(part)}{part}"

    return to


def _about(body: str) -> str:
    """How a text begins."""
    first = " ".join(re.sub(r"[*`_]|\[([^\]]*)\]\([^)]*\)", r"\1", body).split("\n\n")[0].split())
    said = ""
    for sentence in sentences(first):
        if len(said) >= ABOUT:
            break
        said = f"{said} {sentence}".strip()
    return said


def _start(pages: list[Page]) -> Page:
    return Page("index.html", "kvmmmu_lab: shadow page tables, step by step", "start")


def _index(pages: list[Page]) -> str:
    """What is searched: for each page its words; a script, since a page from a folder may not fetch anything."""
    rows = [[page.path, page.title, re.sub(r"[`*#\s]+", " ", page.words).strip()] for page in pages]
    return f"// SPDX-License-Identifier: GPL-2.0-only\nwindow.kvmmmuIndex = {json.dumps(rows, ensure_ascii=False)};\n"


def _write(out: Path, page: Page, pages: list[Page], number: int) -> Path:
    up = "../" * page.path.count("/")
    resources = {
        "page": page,
        "pages": pages,
        "up": up,
        "previous": pages[number - 1] if number > 0 else None,
        "next": pages[number + 1] if number + 1 < len(pages) else None,
        "title": html.escape(page.title),
        "player_css": style() if page.films else "",
        "player_js": script() if page.films else "",
        "code_css": f"{colours('light')}\n{colours('dark')}",
        "site_css": text("theme.css", "site.css"),
        "site_js": text("site.js"),
    }
    import nbformat

    return write(out / page.path, render("kvmmmu_site", nbformat.v4.new_notebook(), resources))
