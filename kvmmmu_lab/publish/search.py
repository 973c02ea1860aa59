# SPDX-License-Identifier: GPL-2.0-only
"""The search index of the site: what each page says, and where.

It is a script, because a page that is opened as a local file can't fetch data. A course has a few hundred kilobytes of text,
which a browser searches in a few milliseconds as it is; so nothing needs to be inverted, stemmed or weighted in advance, and an
entry such as "#248:454" is found as it is written.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .anchors import HEADING_TAG, plain_text

ARROW, DOT = "\N{RIGHTWARDS ARROW}", " \N{MIDDLE DOT} "

HIDDEN = re.compile(r"<(style|script|noscript|template)\b.*?</\1>|<!--.*?-->", re.DOTALL | re.IGNORECASE)
INLINE_TAG = re.compile(r"</?(?:a|abbr|b|code|em|i|kbd|mark|q|s|small|span|strong|sub|sup|u|var|wbr)\b[^>]*>", re.IGNORECASE)
ALT = re.compile(r"""<img\b(?![^>]*\bclass="dark")[^>]*?\balt=("[^"]*"|'[^']*')[^>]*>""", re.IGNORECASE)


@dataclass
class Findable:
    """A part of a page that a search can find. ``id`` is the element to go to; ``heading`` is the section that it is in.

    ``kind`` is "heading", "text", "code", "output", "picture", "film" or "step". The id of a step is "film-2-step-7".
    """

    kind: str
    id: str
    heading: str
    text: str


@dataclass
class SearchablePage:
    """The passages of a page. ``name`` is short, as "Lesson 0"; ``title`` is that of the page."""

    path: str
    name: str
    title: str
    passages: list[Findable] = field(default_factory=list)
    heading: str = ""
    """The latest heading."""

    def add(self, kind: str, id: str, text: str) -> None:
        """Add a passage in the current section, unless it is empty."""
        text = " ".join(text.split())
        if text:
            self.passages.append(Findable(kind, id, self.heading, text))

    def add_prose(self, id: str, markup: str) -> None:
        """Add prose whose headings have ids: a passage for each heading, and one for the text below it."""
        end = 0
        for found in HEADING_TAG.finditer(markup):
            self.add("text", id, visible_text(markup[end : found.start()]))
            end = found.end()
            attribute = re.search(r'\bid="([^"]*)"', found[2])
            id = html.unescape(attribute[1]) if attribute else id
            first = found[1] == "1"  # the title of the page, which the index has anyway
            self.heading = "" if first else plain_text(found[3])
            self.add("heading", id, self.heading)
        self.add("text", id, visible_text(markup[end:]))

    def add_film(self, id: str, film: Mapping[str, Any]) -> None:
        """Add a film: its title with the names of all that it draws, and each step with what it changes."""
        named = [item for chapter in film["chapters"] for item in (chapter.get("names") or {}).items()]
        names = [name for key, name in named if "|" not in key]  # the rest are arrows, named by what they connect
        titles = [film["title"], *(chapter["title"] for chapter in film["chapters"])]
        self.add("film", id, f"{' '.join(dict.fromkeys(titles))} {' '.join(dict.fromkeys(names))}")
        for number, step in enumerate(step for chapter in film["chapters"] for step in chapter["steps"]):
            changes = [f"{one['name']}: {one['old']} {ARROW} {one['new']} {one['bits']}" for one in step["changes"]]
            self.add("step", f"{id}-step-{number}", DOT.join(filter(None, [step["words"], *changes, step["place"]])))


def visible_text(markup: str) -> str:
    """Return the text of HTML, also the names of pictures."""
    markup = ALT.sub(lambda found: f" {found[1][1:-1]} ", HIDDEN.sub(" ", markup))
    return html.unescape(re.sub(r"<[^>]*>", " ", INLINE_TAG.sub("", markup)))


def search_script(pages: Iterable[SearchablePage]) -> str:
    """Return the script that holds the index: for each page its path, name and title, its headings, and its passages."""
    rows = []
    for page in pages:
        headings = list(dict.fromkeys(one.heading for one in page.passages))
        passages = [[one.kind, one.id, headings.index(one.heading), one.text] for one in page.passages]
        rows.append([page.path, page.name, page.title, headings, passages])
    data = json.dumps(rows, ensure_ascii=False, separators=(",", ":"))
    return f"// SPDX-License-Identifier: GPL-2.0-only\nwindow.kvmmmuIndex = {data};\n"
