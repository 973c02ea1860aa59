# SPDX-License-Identifier: GPL-2.0-only
"""The metadata of a notebook: who talks about what, and when.

They are in the notebook's own metadata, or in its front matter: a raw cell at the top with YAML between two lines ``---``, as
Quarto, MyST and Pandoc have it.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from .notices import Notices

FRONT_MATTER = re.compile(r"\s*---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*\s*\Z", re.DOTALL)

NAMES = {
    "title": ("title",),
    "subtitle": ("subtitle",),
    "author": ("author", "authors"),
    "course": ("course", "institute", "institution"),
    "date": ("date",),
    "lang": ("lang", "language"),
    "footer": ("footer",),
    "logo": ("logo",),
}
"""Maps each field of `Metadata` to the keys under which notebooks have it; the first one found is used."""


@dataclass(frozen=True)
class Metadata:
    """The metadata of a notebook, as plain text. What is unknown is empty. ``logo`` is the path of a picture."""

    title: str = ""
    subtitle: str = ""
    author: str = ""
    course: str = ""
    date: str = ""
    lang: str = ""
    footer: str = ""
    logo: str = ""

    def updated(self, other: Metadata) -> Metadata:
        """Return a copy in which the fields of ``other`` that aren't empty replace those of this one."""
        return replace(self, **{name: value for name, value in vars(other).items() if value})

    @property
    def byline(self) -> list[str]:
        """Author, course and date, without those that are unknown."""
        return [line for line in (self.author, self.course, self.date) if line]


def notebook_metadata(notebook: Any, notices: Notices | None = None) -> Metadata:
    """Return the metadata of a notebook. What its front matter says takes precedence over the notebook's own metadata.

    ``notices`` takes a notice if the front matter isn't YAML.
    """
    own = _metadata(notebook.metadata)
    first = front_matter_cell(notebook)
    if not first:
        return own
    import yaml

    found = FRONT_MATTER.match(notebook.cells[first - 1].source)
    assert found is not None
    try:
        front = yaml.safe_load(found[1])
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a date that doesn't exist
        if notices is not None:
            reason = getattr(error, "problem", None) or "it has a value that can't be read"
            notices.add(first, f"the front matter isn't YAML ({reason}), so the title slide doesn't use it")
        return own
    return own.updated(_metadata(front)) if isinstance(front, Mapping) else own


def front_matter_cell(notebook: Any) -> int:
    """Return the number of the cell with the front matter, counted from 1; 0 if there is none.

    It is the first cell that isn't empty. In a Markdown cell, the front matter must have a key, such as ``title:``.
    """
    for number, cell in enumerate(notebook.cells, 1):
        if cell.source.strip():
            found = None if cell.cell_type == "code" else FRONT_MATTER.match(cell.source)
            keyed = found is not None and (cell.cell_type == "raw" or re.match(r"\w+:(\s|$)", found[1]))
            return number if keyed else 0
    return 0


def _metadata(source: Mapping[str, Any]) -> Metadata:
    """Read the fields from a mapping; options of Quarto's format ``revealjs`` count, too."""
    formats = source.get("format")
    options = formats.get("revealjs") if isinstance(formats, Mapping) else None
    known = {**(options if isinstance(options, Mapping) else {}), **source}
    values = {}
    for field in fields(Metadata):
        texts = [_text(known[name]) for name in NAMES[field.name] if name in known]
        values[field.name] = next(filter(None, texts), "")
    return Metadata(**{**values, "date": date_text(values["date"])})


def date_text(text: str) -> str:
    """Return a date as it is written, except that "today" and "now" become the date of today, such as 2026-11-28."""
    return datetime.date.today().isoformat() if text.lower() in ("today", "now") else text


def _text(value: Any) -> str:
    """Return a value as plain text: of a list all values, and of a mapping, such as an author with an address, the name."""
    if isinstance(value, Mapping):
        return _text(value.get("name") or value.get("literal") or value.get("text") or "")
    if isinstance(value, list | tuple):
        return ", ".join(filter(None, map(_text, value)))
    if isinstance(value, datetime.datetime):
        value = value.date()
    return "" if value is None or isinstance(value, bool) else " ".join(str(value).split())
