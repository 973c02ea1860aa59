# SPDX-License-Identifier: GPL-2.0-only
"""Render the outputs of cells as HTML. Films are extracted, so that a page needs the player only once."""

from __future__ import annotations

import base64
import functools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..player.page import FilmOutput, read_film
from ..printable import escaped_html, printable
from .html import markdown_html, self_contained
from .svg_image import svg_image

QUESTION = "question"
"""The tag of a cell that asks for a prediction. Slides show only its output; pages fold its code."""

ANSWER = "answer"
"""The tag of a cell that compares a prediction with what happened. Such a cell is shown like a question."""

NAVIGATION = "navigation"
"""The tag of a cell with links to other lessons. Pages and slides leave it out: they have links of their own."""

MAX_TEXT = 20_000
"""The maximum number of characters of printed text; the rest is cut off."""

MAX_HTML = 1 << 20
"""The maximum number of characters of an HTML output; a longer one is left out."""

ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07")
PICTURE = re.compile(r"<(?:svg|img|canvas|table)\b", re.IGNORECASE)
PICTURE_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp")


@dataclass(frozen=True)
class RenderedOutput:
    """One output of a cell. ``film`` contains a film, ``html`` any other output.

    ``kind`` is "film", "picture", "text", "prose" or "error". In a cell with the tag "question" or "answer", the tag replaces
    "text". ``markdown`` is the source of prose.
    """

    kind: str
    html: str = ""
    film: FilmOutput | None = None
    markdown: str = ""


def rendered_outputs(cell: Any, folder: Path = Path()) -> Iterator[RenderedOutput]:
    """Yield the outputs of a code cell as HTML. ``folder`` contains the notebook.

    The view of a widget is skipped, because the output before it contains its HTML.
    """
    tags = set(cell.metadata.get("tags", ()))
    text_kind = next((tag for tag in (QUESTION, ANSWER) if tag in tags), "text")
    printed = list[str]()
    for output in cell.get("outputs", ()):
        if output.output_type == "stream":
            printed.append(output.text)
            continue
        if printed:
            yield RenderedOutput("text", text_html("".join(printed)))
            printed.clear()
        if output.output_type == "error":
            yield RenderedOutput("error", text_html("\n".join(output.traceback) or f"{output.ename}: {output.evalue}"))
        else:
            found = _rendered(output.data, folder, text_kind)
            if found is not None:
                yield found
    if printed:
        yield RenderedOutput("text", text_html("".join(printed)))


def _rendered(data: Any, folder: Path, text_kind: str) -> RenderedOutput | None:
    """Render the richest format in a MIME bundle. HTML without a picture gets the kind ``text_kind``."""
    if "text/html" in data:
        return _rendered_html("".join(data["text/html"]), folder, text_kind)
    if "application/vnd.jupyter.widget-view+json" in data:
        return None
    if "image/svg+xml" in data:
        svg = "".join(data["image/svg+xml"])
        text = "".join(data.get("text/plain", ""))
        alt = "" if text.startswith("<") else text[:200]  # the repr of an object says nothing about the picture
        return RenderedOutput("picture", svg_image(svg, alt) or self_contained(svg, folder))
    for kind in PICTURE_TYPES:
        if kind in data:
            image = "".join(data[kind]) if not isinstance(data[kind], bytes) else base64.b64encode(data[kind]).decode()
            alt = escaped_html("".join(data.get("text/plain", "a picture"))[:200])
            return RenderedOutput("picture", f'<img src="data:{kind};base64,{image.strip()}" alt="{alt}">')
    if "application/javascript" in data:
        return None  # JavaScript output works only in a notebook
    for kind in ("text/markdown", "text/latex"):
        if kind in data:
            markdown = "".join(data[kind])
            prose = kind == "text/markdown" and text_kind == ANSWER
            markup = f'<div class="rich">{markdown_html(markdown, folder)}</div>'
            return RenderedOutput("prose" if prose else "text", markup, markdown=markdown)
    if "application/json" in data:
        return RenderedOutput("text", text_html(json.dumps(data["application/json"], indent=1, ensure_ascii=False)))
    if "text/plain" in data:
        return RenderedOutput("text", text_html("".join(data["text/plain"])))
    return None


def _rendered_html(markup: str, folder: Path, text_kind: str) -> RenderedOutput:
    film = read_film(markup)
    if film is not None:
        return RenderedOutput("film", film=film)
    if len(markup) > MAX_HTML:
        notice = f"(An HTML output of {len(markup):,} characters is left out; the limit is {MAX_HTML:,}.)"
        return RenderedOutput("text", text_html(notice))
    markup = self_contained(markup, folder)
    return RenderedOutput("picture" if PICTURE.search(markup) else text_kind, f'<div class="rich">{markup}</div>')


def text_html(text: str) -> str:
    """Return printed text as HTML without terminal colours. A text that is too long is cut off, with a note at the end."""
    text = ANSI.sub("", text)
    if len(text) > MAX_TEXT:
        text = f"{text[:MAX_TEXT]}\n... ({len(text) - MAX_TEXT:,} more characters are left out)"
    return f"<pre>{escaped_html(text)}</pre>"


# Code


def code_html(source: str) -> str:
    """Return a cell's code as HTML with classes for syntax highlighting; `code_css` returns their rules."""
    return str(_highlighter()(printable(source.expandtabs(4))))


@functools.cache
def _highlighter() -> Any:
    from nbconvert.filters.highlight import Highlight2HTML

    return Highlight2HTML(pygments_lexer="ipython3")


def code_css() -> str:
    """Return the CSS rules for syntax highlighting in the light and the dark theme."""
    from pygments.formatters import HtmlFormatter

    rules = []
    for light, style in (("true", "xcode"), ("false", "github-dark")):
        formatter = HtmlFormatter(style=style, nobackground=True)
        rules.append(str(formatter.get_style_defs(f'[data-jp-theme-light="{light}"] .highlight')))
    return "\n".join(rules)
