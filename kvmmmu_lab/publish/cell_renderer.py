# SPDX-License-Identifier: GPL-2.0-only
"""The cells of a notebook as HTML."""

from __future__ import annotations

import functools
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..printable import escaped_html, one_line
from .anchors import Anchors
from .editions import exported_text
from .html import Definitions, clean, definitions, markdown_html, with_links
from .links import Links
from .media import MediaFolder
from .notices import Notices, ignore
from .outputs import OutputRenderer, RenderedOutput
from .readable import readable, with_directions
from .widget_state import WidgetStates


class CellRenderer:
    """Renders the cells of one notebook as self-contained HTML. What it has to leave out becomes a notice.

    ``folder`` contains the notebook and its pictures. ``links`` finds the exported files for links to notebooks; ``up`` leads
    from the exported file to the root of the export. ``page``: whether the cells become a page of the site, or else slides,
    on which all ``<details>`` of the author are open. Cells are numbered from 1, as they stand in the notebook.
    """

    def __init__(
        self,
        notebook: Any,
        folder: Path,
        notices: Notices | None = None,
        links: Links | None = None,
        *,
        up: str = "",
        page: bool = False,
        live: bool = False,
    ) -> None:
        self.cells, self.up, self.page, self.live = notebook.cells, up, page, live
        self.media, self.widgets = MediaFolder(folder), WidgetStates(notebook)
        self.links = Links({}) if links is None else links
        self.notices = Notices() if notices is None else notices

    def text(self, number: int) -> str:
        """Return the Markdown of a cell, without what only the notebook shows."""
        return exported_text(self.cells[number - 1].source, self.notices.at(number), page=self.page, live=self.live)

    def prose(self, number: int, text: str | None = None) -> str:
        """Convert a Markdown cell, or another ``text`` in its place, to HTML.

        A link may be defined in any Markdown cell of the notebook; a definition in the cell itself comes first.
        """
        source = self.text(number) if text is None else text
        attachments, say = self.cells[number - 1].get("attachments"), self.notices.at(number)
        markup = markdown_html(source, self.media, attachments, say, self._definitions(number) if "[" in source else None)
        return self._linked(markup if self.page else re.sub(r"<details(?![^>]*\sopen\b)", "<details open", markup), number)

    def outputs(self, number: int) -> list[RenderedOutput]:
        """Return the outputs of a code cell."""
        cell = self.cells[number - 1]
        renderer = OutputRenderer(self.media, self.widgets, cell.metadata.get("tags", ()), self.notices.at(number))
        found = renderer.render(cell.get("outputs", ()))
        return [one if one.film else replace(one, html=self._linked(one.html, number)) for one in found]

    def raw(self, number: int) -> RenderedOutput | None:
        """Return a raw cell as it stands there, or None if it shows nothing because it is meant for another format.

        As with nbconvert, a cell for HTML or Markdown is shown as such, and one for another format is left out.
        """
        cell = self.cells[number - 1]
        kind = str(cell.metadata.get("raw_mimetype") or cell.metadata.get("format") or "text/plain").lower()
        if kind in ("text/html", "html"):
            found = clean(cell.source, self.media, self.notices.at(number))
            return RenderedOutput(found.kind or "prose", self._linked(with_directions(found.html), number))
        if kind in ("text/markdown", "markdown"):
            return RenderedOutput("prose", self.prose(number))
        if kind not in ("text/plain", "plain"):
            self.notices.add(number, f"the raw cell is left out: it is meant for another format ({one_line(kind)})")
            return None
        return RenderedOutput("text", with_directions(f"<pre>{escaped_html(readable(cell.source))}</pre>"))

    def _linked(self, markup: str, number: int) -> str:
        """Redirect links to other notebooks to their exported files."""
        return with_links(markup, lambda link: self.links.address(link, self.notices.at(number), self.up))

    def _definitions(self, number: int) -> Definitions:
        """Return the definitions that a cell may use."""
        own = self._all_definitions.get(number, {})
        return {
            kind: {key: one for found in (*self._all_definitions.values(), own) for key, one in found.get(kind, {}).items()}
            for kind in ("ref_links", "ref_footnotes")
        }

    @functools.cached_property
    def _all_definitions(self) -> dict[int, Definitions]:
        """The definitions in each Markdown cell, the last cell first, so that the first definition of a name counts."""
        markdown = [(number, cell.source) for number, cell in enumerate(self.cells, 1) if cell.cell_type == "markdown"]
        return {number: definitions(source) for number, source in reversed(markdown) if "]:" in source}


def notebook_anchors(notebook: Any) -> Anchors:
    """Return the anchors of the headings in the Markdown cells of a notebook."""
    anchors = Anchors()
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            anchors.mark(markdown_html(exported_text(cell.source, ignore, page=True)))
    return anchors
