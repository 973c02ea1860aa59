# SPDX-License-Identifier: GPL-2.0-only
"""A deck: one self-contained HTML file that contains the slides, reveal.js, the player and all films."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import DataError, InputError
from ..files import reading
from ..player.page import as_script, script, style
from ..printable import escaped_html
from .execution import executed, read_notebook
from .outputs import code_css
from .slides import Slide, slides
from .storyboard import storyboard_slides
from .template import DECK_MODULES, asset, render, require, reveal_asset

THEMES = ("auto", "light", "dark")


def deck(
    path: Path,
    *,
    execute: bool = True,
    theme: str = "auto",
    title: str = "",
    code: bool = True,
    paper: bool = False,
    links: Mapping[str, str] | None = None,
) -> str:
    """Return the deck of the notebook at ``path``, as HTML.

    ``title`` defaults to the first heading. ``code``: whether to show code. ``paper``: whether the deck is for print,
    with films as storyboards. ``links`` maps the names of other notebooks to the addresses of their decks.

    Raises DataError if the file isn't a notebook, InputError if the theme is unknown, LabError if a cell fails or a package is
    missing.
    """
    if theme not in THEMES:
        raise InputError("theme", theme, "auto, light or dark")
    require(*DECK_MODULES)
    path = Path(path)
    notebook = executed(path) if execute else read_notebook(path)
    with reading(path, "a notebook whose cells can be shown"):
        columns = slides(notebook, path, code=code, links=links or {})
        if not columns:
            raise DataError(str(path), "no cell is on a slide", "a notebook with something to show")
        if paper:
            columns = [[page for slide in column for page in storyboard_slides(slide)] for column in columns]
    return _deck_html(columns, title or _title(columns, path), notebook, theme, paper)


def _deck_html(columns: list[list[Slide]], title: str, notebook: Any, theme: str, paper: bool) -> str:
    resources = {
        "title": title,
        "lang": escaped_html(str(notebook.metadata.get("language", "en"))),
        "theme": theme,
        "paper": paper,
        "columns": columns,
        "films": [as_script(film.data) for column in columns for slide in column for film in slide.films],
        "reveal_css": "" if paper else reveal_asset("reveal.css"),
        "reveal_js": "" if paper else reveal_asset("reveal.js"),
        "notes_js": "" if paper else reveal_asset("notes.js"),
        "player_css": style(),
        "player_js": script(),
        "code_css": code_css(),
        "deck_css": asset("theme.css", "deck.css"),
        "deck_js": asset("deck.js"),
    }
    return render("kvmmmu_deck", notebook, resources)


def _title(columns: list[list[Slide]], path: Path) -> str:
    """Return the first slide title as plain text, or the name of the file if no slide has a title."""
    title = next((slide.title for column in columns for slide in column if slide.title), "")
    return html.unescape(re.sub(r"<[^>]+>", "", title)) or path.stem
