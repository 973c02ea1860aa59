# SPDX-License-Identifier: GPL-2.0-only
"""What a notebook's cells say and show, as HTML. Films are taken out: one player serves all of a page."""

from __future__ import annotations

import base64
import functools
import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..player.page import FilmParts, film_parts

MOST, MOST_HTML = 20_000, 1 << 20
"""Characters of an output's text, and of one in HTML; what is longer is cut or left out, and says so."""

ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07")
SCRIPT = re.compile(r"<script\b.*?</script\s*>", re.DOTALL | re.IGNORECASE)
REMOTE = re.compile(
    r"""(<(?:img|source|video|audio|iframe|embed|object|link)\b[^>]*?\s(?:src|href|data)\s*=\s*["']?)(https?:)?//[^"'\s>]*""",
    re.IGNORECASE,
)
PICTURE = re.compile(r"<(?:svg|img|canvas|table)\b", re.IGNORECASE)
PREDICTION = re.compile(r'<div class="kvmmmu-(question|answer)">')
"""What `labs.predict` shows."""


@dataclass(frozen=True)
class Shown:
    """One thing that a cell shows. ``kind``: "film", "picture", "question" (of a prediction), "answer", "text" or "error"; a
    film is ``film``, the rest ``html``."""

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


def prose_html(text: str, folder: Path, attachments: Any = None, link: Callable[[str], str | None] = lambda to: None) -> str:
    """A text in Markdown; pictures beside the notebook are put into it. ``link`` says where a link to a file leads from here,
    or None: then its words stay, without a link."""
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    renderer = IPythonRenderer(
        escape=False, attachments=attachments or {}, embed_images=True, exclude_anchor_links=True, path=str(folder)
    )
    return local(_linked(str(MarkdownWithMath(renderer=renderer).render(text)), link))


def _linked(markup: str, link: Callable[[str], str | None]) -> str:
    def one(found: re.Match[str]) -> str:
        address = html.unescape(found[1])
        if re.match(r"(?:[a-z][a-z0-9+.-]*:|#)", address, re.IGNORECASE):
            return found[0]
        to = link(address)
        return found[2] if to is None else f'<a href="{html.escape(to, quote=True)}">{found[2]}</a>'

    return re.sub(r'<a href="([^"]*)"[^>]*>(.*?)</a>', one, markup, flags=re.DOTALL)


def local(markup: str) -> str:
    """Markup that asks nothing of a network: scripts go, and pictures from elsewhere are named instead of fetched."""
    return REMOTE.sub(lambda found: f'{found[1]}data:," data-left-out="', SCRIPT.sub("", markup))


def shown(cell: Any) -> Iterator[Shown]:
    """What a code cell shows. A widget's stand-in is left out: what it stands for comes before it."""
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
            yield from _rich(output.data)
    if streams:
        yield Shown("text", text_html("".join(streams)))


def _rich(data: Any) -> Iterator[Shown]:
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
        asked = PREDICTION.search(markup)
        kind = asked[1] if asked else "picture" if PICTURE.search(markup) else "text"
        yield Shown(kind, f'<div class="rich">{local(markup)}</div>')
        return
    if "image/svg+xml" in data:
        yield Shown("picture", local("".join(data["image/svg+xml"])))
        return
    for kind in ("image/png", "image/jpeg", "image/gif", "image/webp"):
        if kind in data:
            image = "".join(data[kind]) if not isinstance(data[kind], bytes) else base64.b64encode(data[kind]).decode()
            said = html.escape("".join(data.get("text/plain", "a picture"))[:200], quote=True)
            yield Shown("picture", f'<img src="data:{kind};base64,{image.strip()}" alt="{said}">')
            return
    for kind in ("text/markdown", "text/latex", "text/plain"):
        if kind in data:
            yield Shown("text", text_html("".join(data[kind])))
            return


def text_html(text: str) -> str:
    """Text as it was printed, without a terminal's colours."""
    return f"<pre>{html.escape(_cut(ANSI.sub('', text)))}</pre>"


def _cut(text: str) -> str:
    if len(text) <= MOST:
        return text
    return f"{text[:MOST]}\n... ({len(text) - MOST:,} more characters are left out)"
