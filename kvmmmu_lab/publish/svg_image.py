# SPDX-License-Identifier: GPL-2.0-only
"""SVG that other programs made, as images.

On one page, the ids and style rules of all inline SVG elements share one name space, and programs such as Cairo, R and
Matplotlib use the same ids in each drawing. As an image, a drawing has a name space of its own; nothing in it runs or
is fetched.
"""

from __future__ import annotations

import html
import itertools
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

from ..draw.svg import data_url
from ..printable import escaped_html

DECLARATION = re.compile(r"\s*<\?xml\b.*?\?>", re.DOTALL)
ENTITY = re.compile(r"&(?!(?:amp|lt|gt|quot|apos);)([A-Za-z][A-Za-z0-9]*;)")
REFERENCE = re.compile(r"""url\(\s*['"]?#([^'")\s]+)['"]?\s*\)|\bhref\s*=\s*['"]#([^'"]+)['"]""")
ID = re.compile(r"""\sid\s*=\s*['"]([^'"]+)['"]""")
STYLE = re.compile(r"<(?:\w+:)?style\b")
NAMESPACES = {"xmlns": "http://www.w3.org/2000/svg", "xmlns:xlink": "http://www.w3.org/1999/xlink"}


def svg_image(svg: str, alt: str = "") -> str | None:
    """Return an SVG document as an ``img`` element, or None if it isn't well-formed, so that it can't be an image.

    The text for people who don't see it is the drawing's own: its ``aria-label`` or its title. ``alt`` is used if it has none.
    """
    document = _document(svg)
    root = _parsed(document)
    if root is None:
        return None
    title = next((child.text for child in root if child.tag.rpartition("}")[2] == "title"), None)
    name = root.get("aria-label") or (title or "").strip() or alt or "a picture"
    return f'<img src="{data_url(document)}" alt="{escaped_html(name)}">'


def isolate_svgs(markup: str) -> str:
    """Replace each ``svg`` element in HTML by an image, if it has ids or style rules.

    One that refers to ids of others, or to which others refer, remains: as an image it would have a name space of its own.
    """
    if "<svg" not in markup.lower():
        return markup
    markup = DECLARATION.sub("", markup)
    finder = _SvgFinder(markup)
    ends = [0, *(place for found in finder.found for place in found), len(markup)]
    parts = [markup[start:stop] for start, stop in itertools.pairwise(ends)]  # each second one is an svg element
    needed = _references("".join(parts[::2])).union(*(_references(svg) - _ids(svg) for svg in parts[1::2]))
    parts[1::2] = [_isolated(svg, needed) for svg in parts[1::2]]
    return "".join(parts)


def _isolated(svg: str, needed: set[str]) -> str:
    """Return an ``svg`` element as an image, unless something outside needs one of its ids."""
    ids = _ids(svg)
    if not (ids or STYLE.search(svg)) or ids & needed or not _references(svg) <= ids:
        return svg
    return svg_image(svg) or svg


def _ids(svg: str) -> set[str]:
    return {html.unescape(found[1]) for found in ID.finditer(svg)}


def _references(markup: str) -> set[str]:
    return {html.unescape(found[1] or found[2]) for found in REFERENCE.finditer(markup)}


def _document(svg: str) -> str:
    """Return SVG as a document of its own: in UTF-8, with its name spaces, and without entities that only HTML knows."""
    svg = DECLARATION.sub("", svg, count=1).strip()
    if "<!ENTITY" not in svg:
        svg = ENTITY.sub(lambda found: html.unescape(found[0]), svg)
    tag = re.search(r"<svg\b[^>]*>", svg)
    if tag is None:
        return svg
    missing = [
        f' {name}="{address}"'
        for name, address in NAMESPACES.items()
        if not re.search(rf"\s{name}\s*=", tag[0]) and (name == "xmlns" or "xlink:" in svg)
    ]
    return svg[: tag.start() + 4] + "".join(missing) + svg[tag.start() + 4 :]


def _parsed(document: str) -> ET.Element | None:
    try:
        root = ET.fromstring(document)
    except ET.ParseError:
        return None
    return root if root.tag == f"{{{NAMESPACES['xmlns']}}}svg" else None


class _SvgFinder(HTMLParser):
    """Finds where the outermost ``svg`` elements of some HTML begin and end."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.found: list[tuple[int, int]] = []
        self._lines = [0, *(found.end() for found in re.finditer("\n", markup))]
        self._depth, self._start = 0, 0
        self._markup = markup
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "svg":
            if self._depth == 0:
                self._start = self._place()
            self._depth += 1

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An empty element contains nothing that needs a name space of its own."""

    def handle_endtag(self, tag: str) -> None:
        if tag == "svg" and self._depth:
            self._depth -= 1
            if self._depth == 0:
                self.found.append((self._start, self._markup.index(">", self._place()) + 1))

    def _place(self) -> int:
        line, column = self.getpos()
        return self._lines[line - 1] + column
