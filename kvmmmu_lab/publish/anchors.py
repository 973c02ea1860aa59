# SPDX-License-Identifier: GPL-2.0-only
"""Anchors: the ids of headings, to which links between lessons, pages and slides lead."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from urllib.parse import unquote

from ..printable import escaped_html

HEADING_TAG = re.compile(r"<h([1-6])\b([^>]*)>(.*?)</h\1>", re.DOTALL)


def anchor(heading: str) -> str:
    """Return the id that JupyterLab gives to a heading: its text with hyphens for spaces, such as "Watch-one-fault"."""
    return re.sub(r"\s", "-", heading.strip()) or "part"


def plain_text(markup: str) -> str:
    """Return the text of a heading's HTML."""
    return html.unescape(re.sub(r"<[^>]*>", "", markup)).strip()


class Anchors:
    """The ids of one document's headings, in their order. A heading that occurs again gets a number: "Points-2"."""

    def __init__(self, headings: Iterable[str] = ()) -> None:
        self.ids = list[str]()
        for heading in headings:
            self.add(heading)

    def add(self, heading: str) -> str:
        """Return the id of the next heading, given as plain text."""
        first = anchor(heading)
        found = next(id for id in (first, *(f"{first}-{n}" for n in range(2, len(self.ids) + 3))) if id not in self.ids)
        self.ids.append(found)
        return found

    def find(self, fragment: str) -> str | None:
        """Return the id of the heading to which a link's fragment leads, or None.

        Besides JupyterLab's ids ("Watch-one-fault"), this understands those of GitHub ("watch-one-fault").
        """
        wanted = unquote(fragment)
        if wanted in self.ids:
            return wanted
        return next((id for id in self.ids if _slug(id) == _slug(wanted)), None)

    def mark(self, markup: str) -> str:
        """Add all headings in HTML, and return the HTML with their ids."""

        def with_id(found: re.Match[str]) -> str:
            level, attributes, inner = found.groups()
            attributes = re.sub(r"""\sid\s*=\s*("[^"]*"|'[^']*'|[^\s>]+)""", "", attributes)
            return f'<h{level} id="{escaped_html(self.add(plain_text(inner)))}"{attributes}>{inner}</h{level}>'

        return HEADING_TAG.sub(with_id, markup)


def _slug(id: str) -> str:
    """Return the id that GitHub would give to a heading."""
    return re.sub(r"[^\w-]", "", id.lower())
