# SPDX-License-Identifier: GPL-2.0-only
"""Markdown as HTML: pictures are put into it, formulas become MathML, which browsers draw without any script."""

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

# FOLDED IN: publish.local: Markup that needs nothing: what a page would fetch is put into it, or left out and named;
# scripts go.


SUSPECT = re.compile(
    r"//|<(?:script|link|meta|base)\b|@import|\burl\(|\b(?:src|href|data|poster|action|background)\s*=|\bon\w+\s*=",
    re.IGNORECASE,
)
"""Without any of these there is nothing to do."""

NAMESPACE = re.compile(r'xmlns(?::\w+)?="[^"]*"')
GONE = ("script", "link", "meta", "base", "noscript", "template")
FRAMES = ("iframe", "frame", "object", "embed")
ADDRESSES = ("src", "href", "xlink:href", "data", "poster", "background", "action", "formaction")
SOURCE = re.compile(r"(@import[^;]*;?)|url\(\s*(['\"]?)(?!data:|#)[^)]*\)", re.I)
LARGEST = 3 << 20
"""Bytes of a picture beside a notebook; a larger one is left out."""


def local(markup: str, folder: Path | None = None) -> str:
    """The same without anything that a browser would fetch. Pictures in ``folder`` are put in; links stay links."""
    if not SUSPECT.search(NAMESPACE.sub("", markup)):
        return markup
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(markup, "html.parser")
    for tag in soup.find_all(GONE):
        tag.decompose()
    for tag in soup.find_all(FRAMES):
        tag.replace_with(BeautifulSoup(left_out("a page", str(tag.get("src") or tag.get("data") or "")), "html.parser"))
    for tag in soup.find_all("style"):
        tag.string = SOURCE.sub(_unsourced, tag.get_text())
    for tag in soup.find_all(True):
        _clean(tag, folder)
    return str(soup)


def _clean(tag: Any, folder: Path | None) -> None:
    """Take from a tag what would be fetched, and what would run."""
    if tag.name == "img":
        inside = embedded(str(tag.get("src", "")), folder)
        if inside is None:
            from bs4 import BeautifulSoup

            said = left_out(picture(str(tag.get("alt", ""))), str(tag.get("src", "")))
            tag.replace_with(BeautifulSoup(said, "html.parser"))
            return
        tag["src"] = inside
    for name in list(tag.attrs):
        value = str(tag[name]).strip()
        fetched = name in ADDRESSES and not value.startswith(("#", "data:")) and not _is_link(tag, name, value)
        if fetched or name.startswith("on") or name in ("srcset", "srcdoc", "ping"):
            del tag[name]
        elif name == "style":
            tag[name] = SOURCE.sub(_unsourced, value)


def _is_link(tag: Any, name: str, value: str) -> bool:
    """Whether nothing is fetched before somebody clicks."""
    return tag.name in ("a", "area") and name == "href" and not value.lower().startswith("javascript:")


def _unsourced(found: re.Match[str]) -> str:
    return "" if found[1] else "none"


def embedded(address: str, folder: Path | None) -> str | None:
    """A picture's address, as data where it is a file inside of ``folder``; None where there is nothing that may be shown."""
    if address.startswith("data:"):
        return address
    parts = urlsplit(address)
    if parts.scheme or parts.netloc or not parts.path or folder is None:
        return None
    path, root = (folder / unquote(parts.path)).resolve(), folder.resolve()
    kind = mimetypes.guess_type(path.name)[0] or ""
    try:
        if not path.is_relative_to(root) or not kind.startswith("image/") or path.stat().st_size > LARGEST:
            return None
        return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
    except OSError:
        return None


def picture(alt: str) -> str:
    """A picture in words."""
    return f"a picture, {alt}," if alt else "a picture"


def left_out(what: str, address: str = "") -> str:
    """What stands in the place of something that is left out; a link, if it is on the web."""
    said = html.escape(address[:200])
    if re.match(r"(?:https?:)?//", address):
        to = html.escape(address if address.startswith("http") else f"https:{address}", quote=True)
        said = f'<a href="{to}">{said}</a>'
    return f'<span class="left-out">({html.escape(what)} is left out{f": {said}" if said else ""})</span>'


ATTACHED = "attachment:"


def prose_html(text: str, folder: Path, attachments: Any = None, link: Callable[[str], str | None] = lambda to: None) -> str:
    """A text in Markdown; pictures beside the notebook are put into it. ``link`` says where a link to a file leads from here,
    or None: then its words stay, without a link."""
    from nbconvert.filters.markdown_mistune import MarkdownWithMath

    made = MarkdownWithMath(renderer=_renderer()(folder, attachments or {})).render(text)
    return _linked(local(str(made), folder), link)


@functools.cache
def _renderer() -> Any:
    from nbconvert.filters.markdown_mistune import IPythonRenderer

    class Renderer(IPythonRenderer):
        """nbconvert's, for pages that need nothing."""

        def __init__(self, folder: Path, attachments: Mapping[str, Mapping[str, str]]) -> None:
            super().__init__(escape=False, exclude_anchor_links=True)
            self.folder, self.attached = folder, attachments

        def image(self, text: str, url: str, title: str | None = None) -> str:
            """A picture beside the notebook or attached to its cell; one that isn't there is named."""
            name = url.removeprefix(ATTACHED)
            if url.startswith(ATTACHED):
                found = next((f"data:{kind};base64,{data}" for kind, data in self.attached.get(name, {}).items()), None)
            else:
                found = embedded(url, self.folder)
            return left_out(picture(text), name) if found is None else str(super().image(text, found, title))

        def inline_math(self, body: str) -> str:
            return math_html(body, block=False)

        def block_math(self, body: str) -> str:
            return math_html(body, block=True)

        def latex_environment(self, name: str, body: str) -> str:
            return math_html(f"\\begin{{{name}}}{body}\\end{{{name}}}", block=True)

    return Renderer


def math_html(formula: str, *, block: bool) -> str:
    """A formula in LaTeX as MathML; one that isn't understood is shown as it was written."""
    from latex2mathml.converter import convert

    try:
        return str(convert(formula.strip(), display="block" if block else "inline"))
    except Exception:  # whatever that library makes of something that it doesn't know
        return f"<code>{html.escape(formula)}</code>"


def _linked(markup: str, link: Callable[[str], str | None]) -> str:
    def one(found: re.Match[str]) -> str:
        address = html.unescape(found[1])
        if re.match(r"(?:[a-z][a-z0-9+.-]*:|#)", address, re.IGNORECASE):
            return found[0]
        to = link(address)
        return found[2] if to is None else f'<a href="{html.escape(to, quote=True)}">{found[2]}</a>'

    return re.sub(r'<a href="([^"]*)"[^>]*>(.*?)</a>', one, markup, flags=re.DOTALL)

