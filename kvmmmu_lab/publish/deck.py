# SPDX-License-Identifier: GPL-2.0-only
"""A deck: one self-contained HTML file that contains the slides, reveal.js, the player and all films."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import DataError, InputError
from ..files import reading
from ..player.page import as_script, slide_script, slide_style
from ..printable import escaped_html
from .drawings import lay_out
from .execution import executed, read_notebook
from .links import Links
from .metadata import Metadata, notebook_metadata
from .notices import Notices
from .outputs import code_css
from .own_css import file_url, own_css
from .slides import Slide, file_title, slides
from .template import DECK_MODULES, asset, render, require, reveal_asset
from .typesetting import BEGIN, END, SCRIPTS, Typesetter

THEMES = ("auto", "light", "dark")


def deck(
    path: Path,
    *,
    execute: bool = True,
    theme: str = "auto",
    metadata: Metadata | None = None,
    css: Path | None = None,
    code: bool = True,
    condense: bool = False,
    notes: bool = False,
    links: Links | None = None,
    notices: Notices | None = None,
    typesetter: Typesetter | None = None,
) -> str:
    """Return the deck of the notebook at ``path``, as HTML.

    ``metadata``: what the title slide and the footer show, in addition to or instead of what the notebook itself says.
    ``css``: a style sheet of the user, whose rules come after all others. ``code``: whether to show code. ``condense``: whether
    to summarise long texts. ``notes``: whether the deck prints the speaker notes. ``links`` are the other decks of the
    export. ``notices`` takes notices about what is left out.
    ``typesetter`` typesets formulas and composes the slides; without one, the deck does so when it is opened.

    Raises DataError if a file can't be read or isn't a notebook, InputError if the theme is unknown, LabError if a cell fails
    or a package is missing.
    """
    if theme not in THEMES:
        raise InputError("theme", theme, "auto, light or dark")
    require(*DECK_MODULES)
    path, notices = Path(path), Notices() if notices is None else notices
    notebook = executed(path) if execute else read_notebook(path)
    with reading(path, "a notebook whose cells can be shown"):
        known = notebook_metadata(notebook, notices).updated(metadata or Metadata())
        found = slides(notebook, path, metadata=known, code=code, condense=condense, links=links, notices=notices)
        if not found:
            raise DataError(str(path), "no cell is on a slide", "a notebook with something to show")
        lay_out(found, notices)
    logo = (
        file_url(Path(metadata.logo)) if metadata and metadata.logo else known.logo and _logo(known.logo, path.parent, notices)
    )
    known = replace(known, title=known.title or _title(found, path), logo=logo)
    rules = "" if css is None else own_css(Path(css), notices.at(0))
    markup = _deck_html(found, known, notebook, theme, rules, notes)
    return (typesetter or Typesetter(use_browser=False)).deck(markup, notices)


def _deck_html(found: list[Slide], known: Metadata, notebook: Any, theme: str, css: str, notes: bool) -> str:
    resources = {
        "title": known.title,
        "lang": escaped_html(known.lang or "en"),
        "footer": known.footer,
        "logo": known.logo,
        "theme": theme,
        "notes": notes,
        "slides": found,
        "begin": BEGIN,
        "end": END,
        "scripts": SCRIPTS,
        "films": [as_script(film.data) for slide in found for film in slide.films],
        "reveal_css": reveal_asset("reveal.css"),
        "reveal_js": reveal_asset("reveal.js"),
        "notes_js": reveal_asset("notes.js"),
        "player_css": slide_style(),
        "player_js": slide_script(),
        "code_css": code_css(),
        "theme_css": asset("theme.css", "content.css"),
        "deck_css": asset("deck.css"),
        "paper_css": asset("paper.css", "storyboard.css"),
        "deck_js": asset("storyboard.js", "handout.js", "film_notes.js", "deck.js"),
        "tools_js": [asset(name) for name in ("code_steps.js", "contents.js", "pen.js")],
        "own_css": css,
    }
    return render("kvmmmu_deck", notebook, resources)


def _logo(name: str, folder: Path, notices: Notices) -> str:
    """Return the picture ``name`` as a data URL; an empty text, with a notice, if it isn't a picture in ``folder``."""
    path = folder / name
    try:
        if not path.resolve().is_relative_to(folder.resolve()):
            raise DataError(name, "outside the notebook's folder", "a picture in it")
        return file_url(path)
    except DataError as error:
        notices.add(0, f"the logo is left out: {error}")
        return ""


def _title(found: list[Slide], path: Path) -> str:
    """Return the first slide title as plain text, or the name of the file if no slide has a title."""
    title = next((slide.title for slide in found if slide.title), "")
    return html.unescape(re.sub(r"<[^>]+>", "", title)) or file_title(path)
