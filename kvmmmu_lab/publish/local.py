# SPDX-License-Identifier: GPL-2.0-only
"""Markup that needs nothing: what a page would fetch is put into it, or left out and named; scripts go."""

from __future__ import annotations

import base64
import html
import mimetypes
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

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
