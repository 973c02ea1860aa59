# SPDX-License-Identifier: GPL-2.0-only
"""What a notebook's cells say and show, as HTML. Films are taken out: one player serves all of a page."""

from __future__ import annotations

import base64
import functools
import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..player.page import FilmParts, film_parts
from .html import local, prose_html

MOST, MOST_HTML = 20_000, 1 << 20
"""Characters of an output's text, and of one in HTML; what is longer is cut or left out, and says so."""

ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07")
PICTURE = re.compile(r"<(?:svg|img|canvas|table)\b", re.IGNORECASE)
PREDICTION = re.compile(r'<div class="kvmmmu-(question|answer)">')
"""What `labs.predict` shows."""


@dataclass(frozen=True)
class Shown:
    """One thing that a cell shows. ``kind``: "film", "picture", "question" (of a prediction), "answer", "text" or "error"; a
    film is ``recording``, the rest ``html``."""

    kind: str
    html: str = ""
    film: FilmParts | None = None

    @property
    def big(self) -> bool:
        """Whether it wants a slide of its own."""
        return self.kind in ("film", "picture")


@functools.cache
def _highlighter() -> Any:
    from nbconvert.filters.highlight import Highlight2HTML

    return Highlight2HTML(pygments_lexer="ipython3")


def code_html(source: str) -> str:
    """A cell's code, with its colours as classes."""
    return str(_highlighter()(source))


def colours(theme: str) -> str:
    """The rules for these classes: for "light" or "dark"."""
    from pygments.formatters import HtmlFormatter

    style = {"light": "xcode", "dark": "github-dark"}[theme]
    under = f'[data-jp-theme-light="{str(theme == "light").lower()}"] .highlight'
    return str(HtmlFormatter(style=style, nobackground=True).get_style_defs(under))


def shown(cell: Any, folder: Path = Path()) -> Iterator[Shown]:
    """What a code cell shows; the notebook lies in ``folder``. A widget's stand-in is left out: what it stands for comes
    before it."""
    streams = list[str]()
    for output in cell.get("outputs", ()):
        if output.output_type == "stream":
            streams.append(output.text)
            continue
        if streams:
            yield Shown("text", text_html("".join(streams)))
            streams.clear()
        if output.output_type == "error":
            yield Shown("error", text_html("\n".join(output.traceback) or f"{output.ename}: {output.evalue}"))
        else:
            yield from _rich(output.data, folder)
    if streams:
        yield Shown("text", text_html("".join(streams)))


def _rich(data: Any, folder: Path) -> Iterator[Shown]:
    if "application/vnd.jupyter.widget-view+json" in data and "text/html" not in data:
        return
    if "text/html" in data:
        markup = "".join(data["text/html"])
        film = film_parts(markup)
        if film is not None:
            yield Shown("film", film=film)
            return
        if len(markup) > MOST_HTML:
            said = f"(An output of {len(markup):,} characters of HTML is left out; at most {MOST_HTML:,} are shown.)"
            yield Shown("text", text_html(said))
            return
        markup = local(markup, folder)
        asked = PREDICTION.search(markup)
        kind = asked[1] if asked else "picture" if PICTURE.search(markup) else "text"
        yield Shown(kind, f'<div class="rich">{markup}</div>')
        return
    if "image/svg+xml" in data:
        yield Shown("picture", local("".join(data["image/svg+xml"]), folder))
        return
    for kind in ("image/png", "image/jpeg", "image/gif", "image/webp"):
        if kind in data:
            image = "".join(data[kind]) if not isinstance(data[kind], bytes) else base64.b64encode(data[kind]).decode()
            said = html.escape("".join(data.get("text/plain", "a picture"))[:200], quote=True)
            yield Shown("picture", f'<img src="data:{kind};base64,{image.strip()}" alt="{said}">')
            return
    if "application/javascript" in data:
        return  # runs in a notebook only
    for kind in ("text/markdown", "text/latex"):
        if kind in data:
            yield Shown("text", f'<div class="rich">{prose_html("".join(data[kind]), folder)}</div>')
            return
    if "application/json" in data:
        yield Shown("text", text_html(json.dumps(data["application/json"], indent=1, ensure_ascii=False)))
    elif "text/plain" in data:
        yield Shown("text", text_html("".join(data["text/plain"])))


def text_html(text: str) -> str:
    """Text as it was printed, without a terminal's colours."""
    return f"<pre>{html.escape(_cut(ANSI.sub('', text)))}</pre>"


def _cut(text: str) -> str:
    if len(text) <= MOST:
        return text
    return f"{text[:MOST]}\n... ({len(text) - MOST:,} more characters are left out)"
