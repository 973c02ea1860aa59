# SPDX-License-Identifier: GPL-2.0-only
"""Convert Markdown, HTML and SVG to self-contained HTML.

Pictures in the notebook's folder are embedded, and formulas become MathML, which browsers render without a script.
Anything else that a browser would fetch or run is removed. A picture or an inline frame that is left out is replaced
with a placeholder. Links are kept.
"""

from __future__ import annotations

import base64
import functools
import html
import mimetypes
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from ..errors import DataError
from ..files import read_bytes
from ..printable import escaped_html, printable
from .svg_image import isolate_svgs

MAX_PICTURE = 3 << 20
"""The size of the largest picture that is embedded, in bytes."""

ATTACHMENT = "attachment:"

FETCHES_OR_RUNS = re.compile(
    r"//|<(?:script|link|meta|base)\b|@import|\burl\(|\b(?:src|href|data|poster|action|background)\s*=|\bon\w+\s*=",
    re.IGNORECASE,
)
"""Matches markup that may make a browser fetch or run something. Markup without a match is already self-contained."""

NAMESPACE = re.compile(r'xmlns(?::\w+)?="[^"]*"')
CSS_SOURCE = re.compile(r"(@import[^;]*;?)|url\(\s*(['\"]?)(?!data:|#)[^)]*\)", re.IGNORECASE)

REMOVED_TAGS = ("script", "link", "meta", "base", "noscript", "template")
FRAME_TAGS = ("iframe", "frame", "object", "embed")
ADDRESS_ATTRIBUTES = ("src", "href", "xlink:href", "data", "poster", "background", "action", "formaction")
OTHER_ATTRIBUTES = ("srcset", "srcdoc", "ping")
"""Attributes that are always removed."""


# Markdown


def markdown_html(
    text: str, folder: Path, attachments: Any = None, link: Callable[[str], str | None] = lambda address: None
) -> str:
    """Convert Markdown to self-contained HTML. ``folder`` contains the pictures; ``attachments`` belong to the cell.

    ``link`` is a function that maps the address of a file to a new address. If it returns None, the link is removed and its
    text is kept.
    """
    from nbconvert.filters.markdown_mistune import MarkdownWithMath

    markup = MarkdownWithMath(renderer=_renderer_class()(folder, attachments or {})).render(printable(text.expandtabs(4)))
    return _with_links(self_contained(str(markup), folder), link)


@functools.cache
def _renderer_class() -> Any:
    """Return the class that renders Markdown. It is defined in a function because nbconvert is slow to import."""
    from nbconvert.filters.markdown_mistune import IPythonRenderer

    class MarkdownRenderer(IPythonRenderer):
        """nbconvert's renderer, extended to embed pictures and to convert formulas to MathML."""

        def __init__(self, folder: Path, attachments: Mapping[str, Mapping[str, str]]) -> None:
            super().__init__(escape=False, exclude_anchor_links=True)
            self.folder, self.attached = folder, attachments

        def image(self, text: str, url: str, title: str | None = None) -> str:
            """Embed a picture from the notebook's folder or from the cell's attachments, or insert a placeholder."""
            name = url.removeprefix(ATTACHMENT)
            if url.startswith(ATTACHMENT):
                found = next((f"data:{kind};base64,{data}" for kind, data in self.attached.get(name, {}).items()), None)
            else:
                found = _embedded(url, self.folder)
            return _placeholder(_picture_name(text), name) if found is None else str(super().image(text, found, title))

        def inline_math(self, body: str) -> str:
            return math_html(body, block=False)

        def block_math(self, body: str) -> str:
            return math_html(body, block=True)

        def latex_environment(self, name: str, body: str) -> str:
            return math_html(f"\\begin{{{name}}}{body}\\end{{{name}}}", block=True)

    return MarkdownRenderer


def math_html(formula: str, *, block: bool) -> str:
    """Convert a LaTeX formula to MathML, or show its source if the converter doesn't understand it."""
    from latex2mathml.converter import convert

    try:
        return str(convert(formula.strip(), display="block" if block else "inline"))
    except Exception:  # the converter raises many kinds of exceptions and documents none
        return f"<code>{escaped_html(formula)}</code>"


def _with_links(markup: str, link: Callable[[str], str | None]) -> str:
    """Redirect or remove each link to a file; keep links to the web and links within the page."""

    def redirect(found: re.Match[str]) -> str:
        address = html.unescape(found[1])
        if re.match(r"(?:[a-z][a-z0-9+.-]*:|#)", address, re.IGNORECASE):
            return found[0]
        target = link(address)
        return found[2] if target is None else f'<a href="{escaped_html(target)}">{found[2]}</a>'

    return re.sub(r'<a href="([^"]*)"[^>]*>(.*?)</a>', redirect, markup, flags=re.DOTALL)


# HTML and SVG


def self_contained(markup: str, folder: Path | None = None) -> str:
    """Embed pictures from ``folder``, and remove everything else that a browser would fetch or run, except links.

    SVG whose ids or style rules could clash with others on the page becomes an image.
    """
    markup = isolate_svgs(markup)
    if not FETCHES_OR_RUNS.search(NAMESPACE.sub("", markup)):
        return markup
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(markup, "html.parser")
    for tag in soup.find_all(REMOVED_TAGS):
        tag.decompose()
    for tag in soup.find_all(FRAME_TAGS):
        _replace(tag, _placeholder("a page", str(tag.get("src") or tag.get("data") or "")))
    for tag in soup.find_all("style"):
        tag.string = CSS_SOURCE.sub(_without_source, tag.get_text())
    for tag in soup.find_all(True):
        _clean(tag, folder)
    return str(soup)


def _clean(tag: Any, folder: Path | None) -> None:
    """Clean one tag: embed the picture of an ``img``, and remove attributes that make a browser fetch or run something."""
    if tag.name == "img":
        address = _embedded(str(tag.get("src", "")), folder)
        if address is None:
            _replace(tag, _placeholder(_picture_name(str(tag.get("alt", ""))), str(tag.get("src", ""))))
            return
        tag["src"] = address
    for name in list(tag.attrs):
        value = str(tag[name]).strip()
        fetches = name in ADDRESS_ATTRIBUTES and not value.startswith(("#", "data:")) and not _is_link(tag, name, value)
        if fetches or name.startswith("on") or name in OTHER_ATTRIBUTES:
            del tag[name]
        elif name == "style":
            tag[name] = CSS_SOURCE.sub(_without_source, value)


def _is_link(tag: Any, name: str, value: str) -> bool:
    """Return whether an attribute is a link, which fetches nothing until it is clicked."""
    return tag.name in ("a", "area") and name == "href" and not value.lower().startswith("javascript:")


def _without_source(found: re.Match[str]) -> str:
    """Return what replaces a match of `CSS_SOURCE`: nothing for an ``@import``, ``none`` for a ``url(...)``."""
    return "" if found[1] else "none"


def _replace(tag: Any, markup: str) -> None:
    from bs4 import BeautifulSoup

    tag.replace_with(BeautifulSoup(markup, "html.parser"))


# Pictures


def _embedded(address: str, folder: Path | None) -> str | None:
    """Return a picture as a data URL, or None if the file is outside ``folder``, isn't a picture, or is too large."""
    if address.startswith("data:"):
        return address
    parts = urlsplit(address)
    if parts.scheme or parts.netloc or not parts.path or folder is None:
        return None
    try:
        path, root = (folder / unquote(parts.path)).resolve(), folder.resolve()
        kind = mimetypes.guess_type(path.name)[0] or ""
        if not path.is_relative_to(root) or not kind.startswith("image/"):
            return None
        return f"data:{kind};base64,{base64.b64encode(read_bytes(path, MAX_PICTURE)).decode()}"
    except (DataError, OSError, ValueError, RuntimeError):  # a name that no file can have, or links in a circle
        return None


def _picture_name(alt: str) -> str:
    return f"a picture, {alt}," if alt else "a picture"


def _placeholder(what: str, address: str = "") -> str:
    """Return a note in place of something that is left out, with a link to it if it is on the web."""
    shown = escaped_html(address[:200])
    if re.match(r"(?:https?:)?//", address):
        url = escaped_html(address if address.startswith("http") else f"https:{address}")
        shown = f'<a href="{url}">{shown}</a>'
    return f'<span class="left-out">({escaped_html(what)} is left out{f": {shown}" if shown else ""})</span>'
