# SPDX-License-Identifier: GPL-2.0-only
"""Render the outputs of cells as HTML. Films are extracted, so that a page needs the player only once.

Of several formats, the one is shown that JupyterLab would show. What works only in a notebook (a widget, a chart that a script
draws) is replaced with its static alternative; if there is none, with a note that says what stood there, and a notice.
"""

from __future__ import annotations

import base64
import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from ..player.page import FilmOutput, read_film
from ..printable import escaped_html, one_line, printable, shortened
from .formulas import with_formulas
from .html import CleanHtml, clean, markdown_html
from .media import LeftOut, MediaFolder
from .notices import Say, ignore
from .readable import with_directions
from .svg_image import svg_image
from .terminal import terminal_lines
from .widget_state import PLOTLY, VIEW, WidgetStates

QUESTION = "question"
"""The tag of a cell that asks for a prediction. Slides show only its output; pages fold its code."""

ANSWER = "answer"
"""The tag of a cell that compares a prediction with what happened. Such a cell is shown like a question."""

CHECK = "check"
"""The tag of a cell with a check question at the end of a lesson, or of a cell that checks an exercise. Pages fold its code."""

NAVIGATION = "navigation"
"""The tag of a cell with links to other lessons. Pages and slides leave it out: they have links of their own."""

MAX_TEXT, MAX_LINES = 40_000, 400
"""The maximum number of characters and of lines of a printed text. Of a longer one, the beginning and the end are shown."""

MAX_TRACEBACK = 60
"""The maximum number of lines of a traceback."""

MAX_HTML = 1 << 20
"""The maximum number of characters of an HTML output, without its pictures; a longer one is left out."""


CHART = '<div class="plotly"'
"""The beginning of a Plotly figure's markup."""

PICTURE_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/apng", "image/bmp")

INTERACTIVE = (
    (re.compile(r"application/vnd\.plotly"), "an interactive chart (Plotly)"),
    (re.compile(r"application/vnd\.vega"), "an interactive chart (Vega)"),
    (re.compile(r"application/vnd\.(bokehjs|holoviews)_exec"), "an interactive chart (Bokeh)"),
    (re.compile(r"application/(geo|vnd\.geo)\+json|application/vnd\..*map"), "a map"),
    (re.compile(r"application/pdf"), "a PDF document"),
    (re.compile(r"(application|text)/javascript"), "what a script (JavaScript) does"),
)
"""MIME types of outputs that only a notebook shows, and what they are."""

SCRIPTED = (
    (re.compile(r"plotly", re.IGNORECASE), "an interactive chart (Plotly)"),
    (re.compile(r"vega", re.IGNORECASE), "an interactive chart (Vega)"),
    (re.compile(r"bokeh", re.IGNORECASE), "an interactive chart (Bokeh)"),
    (re.compile(r"leaflet|mapbox|\bL\.map\b"), "an interactive map"),
    (re.compile(r""), "what a script draws"),
)
"""What HTML is that consists only of scripts, found by its words."""

LOADERS = re.compile(
    r"application/vnd\.(bokehjs|holoviews)_load|Loading BokehJS|_bokeh_is_loading|hv-extension-comm|"
    r"(?s:\A(?!.*Plotly\.newPlot\().*window\.PlotlyConfig)"
)
"""Matches outputs that only load a library, and show nothing themselves."""

USELESS = re.compile(r"\s*<[^<>]*(?:\bobject\b|\bat 0x|IPython)[^<>]*>\s*|\s*", re.DOTALL)
"""Matches a representation as text that says nothing about what was shown, such as that of an object."""

SCRIPTS_DONT_RUN = "scripts don't run on slides and pages"


@dataclass(frozen=True)
class RenderedOutput:
    """One output of a cell. ``film`` contains a film, ``html`` any other output.

    ``kind`` is "film", "picture", "table", "text", "prose", "error" or "notice" (a note in place of something that can't be
    shown). In a cell with the tag "question" or "answer", the tag replaces "text". ``markdown`` is the source of prose.
    """

    kind: str
    html: str = ""
    film: FilmOutput | None = None
    markdown: str = ""


class OutputRenderer:
    """Renders the outputs of one cell. ``media`` are the files beside the notebook, ``widgets`` the states that it contains.

    ``tags`` are the cell's tags; ``say`` takes notices about what can't be shown.
    """

    def __init__(self, media: MediaFolder, widgets: WidgetStates, tags: Iterable[str] = (), say: Say = ignore) -> None:
        self.media, self.widgets, self.say = media, widgets, say
        self.text_kind = next((tag for tag in (QUESTION, ANSWER) if tag in set(tags)), "text")
        self.no_streams = {name for name in ("stdout", "stderr") if {f"remove-{name}", f"remove_{name}"} & set(tags)}

    def render(self, outputs: Iterable[Any]) -> Iterator[RenderedOutput]:
        """Yield the outputs as HTML. Text printed to one stream without anything between it is one output.

        The kit's own widgets are skipped, because the output before each contains its HTML.
        """
        is_still = in_line = False
        for name, group in groupby(outputs, lambda output: output["name"] if output["output_type"] == "stream" else ""):
            if name:
                text = "".join("".join(output["text"]) for output in group)
                text = text.removeprefix("\n") if in_line else text  # it ends the line that the other stream began
                in_line = not text.endswith("\n")
                if text.strip() and name not in self.no_streams:
                    yield RenderedOutput("text", text_html(text, self.say, "stderr" if name == "stderr" else ""))
                continue
            in_line = False
            for output in group:
                if output["output_type"] == "error":
                    yield RenderedOutput("error", self.traceback(output))
                    continue
                data, metadata = output.get("data") or {}, output.get("metadata") or {}
                if not (is_still and VIEW in data):
                    yield from self.bundle(data, metadata)
                is_still = "kvmmmu_lab" in metadata

    def traceback(self, output: Mapping[str, Any]) -> str:
        """Return a traceback as HTML, with its first and its last lines if it is long."""
        text = "\n".join(output.get("traceback") or ()) or f"{output.get('ename')}: {output.get('evalue')}"
        return text_html(text, self.say, most_lines=MAX_TRACEBACK, what="a traceback")

    def bundle(self, data: Mapping[str, Any], metadata: Mapping[str, Any]) -> Iterator[RenderedOutput]:
        """Yield what is shown of one output in several formats: usually one `RenderedOutput`."""
        for renderer in (self.html, self.widget, self.mermaid, self.formatted, self.picture, self.recording, self.interactive):
            found = list(renderer(data, metadata))
            if found:
                yield from (one for one in found if one is not NOTHING)
                return
        yield from self.text(data)

    # Formats, in the order in which they are tried. Each yields nothing if the bundle doesn't have it.

    def html(self, data: Mapping[str, Any], metadata: Mapping[str, Any]) -> Iterator[RenderedOutput]:
        """Show a film, or HTML that doesn't depend on scripts."""
        if "text/html" not in data:
            return
        markup = _joined(data["text/html"])
        film = read_film(markup)
        if film is not None:
            yield RenderedOutput("film", film=film)
            return
        if LOADERS.search(markup):
            yield NOTHING
            return
        figure = _plotly_figure(markup)
        if figure is not None and not any(kind in data for kind in (PLOTLY, "image/svg+xml", *PICTURE_TYPES)):
            yield RenderedOutput("picture", chart_html(figure))
            return
        said = list[str]()
        found = clean(markup, self.media, said.append)
        others = [kind for kind in data if kind not in ("text/html", "text/plain")]
        if found.scripts and any(pattern.match(kind) for pattern, _ in INTERACTIVE for kind in others if "/vnd." in kind):
            return  # the words beside the script belong to a chart, which the other format has as data
        if found.visible or not others:
            for words in said:
                self.say(words)
        if found.visible:
            if found.scripts and "kvmmmu_lab" not in metadata:
                self.say(f"a script in an HTML output is left out: {SCRIPTS_DONT_RUN}")
            yield self.shown_html(found)
        elif others:
            return
        elif found.scripts:
            yield self.note(next(what for pattern, what in SCRIPTED if pattern.search(markup)))
        else:
            if found.styled:
                self.say("the style rules in an output apply only to this output; give an own look with --css")
            yield NOTHING

    def shown_html(self, found: CleanHtml) -> RenderedOutput:
        """Return HTML as an output, unless it is too long."""
        size = len(re.sub(r"data:[^\"']*", "", found.html))
        if size > MAX_HTML:
            self.say(f"an HTML output of {size:,} characters is left out: the limit is {MAX_HTML:,}")
            return _note(f"An HTML output of {size:,} characters is left out; the limit is {MAX_HTML:,}.")
        return RenderedOutput(found.kind or self.text_kind, _rich(found))

    def widget(self, data: Mapping[str, Any], metadata: Mapping[str, Any]) -> Iterator[RenderedOutput]:
        """Show a widget as its state was saved, or the picture beside it."""
        if VIEW not in data or any(kind in data for kind in (*PICTURE_TYPES, "image/svg+xml")):
            return
        parts = self.widgets.parts(str(dict(data[VIEW]).get("model_id", "")))
        if not parts:
            name = re.match(r"\s*([A-Za-z_]\w*)\(", _joined(data.get("text/plain", "")))
            kind = name[1] if name and name[1] != "interactive" else "widget"
            yield self.note(f"an interactive {kind}", "run the notebook to use it")
        for part in parts:
            if part.outputs is not None:
                yield from OutputRenderer(self.media, self.widgets, (), self.say).render(part.outputs)
            elif part.unknown:
                yield self.note(f"an interactive {part.unknown}", "run the notebook to use it")
            else:
                found = clean(part.html, self.media, self.say)
                if found.visible:
                    yield RenderedOutput(found.kind or self.text_kind, _rich(found))
        if parts:
            yield NOTHING  # even if none of them shows anything

    def mermaid(self, data: Mapping[str, Any], metadata: Mapping[str, Any]) -> Iterator[RenderedOutput]:
        """Show a diagram like one in Markdown."""
        if "text/vnd.mermaid" in data:
            source = f"```mermaid\n{_joined(data['text/vnd.mermaid'])}\n```"
            yield RenderedOutput("picture", f'<div class="rich">{markdown_html(source, self.media)}</div>')

    def formatted(self, data: Mapping[str, Any], metadata: Mapping[str, Any]) -> Iterator[RenderedOutput]:
        """Show Markdown or LaTeX."""
        kind = next((kind for kind in ("text/markdown", "text/latex") if kind in data), None)
        if kind is not None:
            markdown = _joined(data[kind])
            prose = kind == "text/markdown" and self.text_kind == ANSWER
            markup = f'<div class="rich">{markdown_html(markdown, self.media, say=self.say)}</div>'
            yield RenderedOutput("prose" if prose else "text", markup, markdown=markdown)

    def picture(self, data: Mapping[str, Any], metadata: Mapping[str, Any]) -> Iterator[RenderedOutput]:
        """Show a picture in the size that its metadata give."""
        kind = next((kind for kind in ("image/svg+xml", *PICTURE_TYPES) if kind in data), None)
        if kind is None:
            return
        about = {**metadata, **(metadata[kind] if isinstance(metadata.get(kind), Mapping) else {})}
        alt = str(about.get("alt") or "") or _description(data)
        if kind == "image/svg+xml":
            svg = _joined(data[kind])
            markup = svg_image(svg, alt) or clean(svg, self.media, self.say).html
        else:
            address = self.media.picture(f"data:{kind};base64,{_base64(data[kind])}", self.say)
            markup = f'<img src="{address}" alt="{escaped_html(alt or "a picture")}">'
        yield RenderedOutput("picture", markup.replace("<img ", f"<img {_size(about)}", 1))

    def recording(self, data: Mapping[str, Any], metadata: Mapping[str, Any]) -> Iterator[RenderedOutput]:
        """Show a film or a sound."""
        kind = next((kind for kind in data if kind.startswith(("video/", "audio/"))), None)
        if kind is None:
            return
        name = kind.partition("/")[0]
        try:
            address = self.media.recording(f"data:{kind};base64,{_base64(data[kind])}")
        except LeftOut as reason:
            yield self.note("a video" if name == "video" else "a sound", str(reason))
            return
        yield RenderedOutput("picture", f'<{name} controls src="{address}"></{name}>')

    def interactive(self, data: Mapping[str, Any], metadata: Mapping[str, Any]) -> Iterator[RenderedOutput]:
        """Show a note in place of what only a notebook shows."""
        if any(LOADERS.search(kind) for kind in data):
            yield NOTHING
            return
        what = next((what for pattern, what in INTERACTIVE if any(pattern.match(kind) for kind in data)), None)
        if PLOTLY in data and not isinstance(data[PLOTLY], str):
            yield RenderedOutput("picture", chart_html(data[PLOTLY]))
        elif what is not None:
            yield self.note(what, "slides and pages don't contain documents" if "PDF" in what else SCRIPTS_DONT_RUN)

    def text(self, data: Mapping[str, Any]) -> Iterator[RenderedOutput]:
        """Show what is left: JSON, text, or the name of an unknown type."""
        unknown = [kind for kind in data if kind != "text/plain" and not kind.startswith("application/vnd.google")]
        plain = _joined(data.get("text/plain", ""))
        if "application/json" in data:
            yield RenderedOutput("text", text_html(_json(data["application/json"]), self.say))
        elif unknown and (USELESS.fullmatch(plain) or "text/plain" not in data):
            yield from self.unknown(unknown[0], data[unknown[0]])
        elif plain.strip():
            if unknown:
                self.say(f"an output of the type {unknown[0]} is shown as text")
            yield RenderedOutput("text", text_html(plain, self.say))

    def unknown(self, kind: str, content: Any) -> Iterator[RenderedOutput]:
        """Show an output of an unknown type: text as text, anything else as a note."""
        if kind.startswith("text/"):
            yield RenderedOutput("text", text_html(_joined(content), self.say))
        elif kind.endswith("+json") and not kind.startswith("application/vnd."):
            yield RenderedOutput("text", text_html(_json(content), self.say))
        else:
            yield self.note(f"an output of the type {shortened(one_line(kind), 80)}", "browsers can't show it")

    def note(self, what: str, reason: str = SCRIPTS_DONT_RUN) -> RenderedOutput:
        """Return a note in place of something that can't be shown, and add a notice. ``what`` is a noun with its article."""
        noun = re.sub(r"^an? ", "the ", what)
        self.say(f"{noun} is left out: {reason}")
        return _note(f"{what[0].upper()}{what[1:]} is left out here: {reason}.")


def _plotly_figure(markup: str) -> dict[str, Any] | None:
    """Return the figure that Plotly's HTML passes to its script, or None if there is none."""
    found = re.search(r"Plotly\.newPlot\(\s*", markup)
    if found is None:
        return None
    decoder, place, values = json.JSONDecoder(), found.end(), list[Any]()
    try:
        while len(values) < 3:
            value, place = decoder.raw_decode(markup, place)
            values.append(value)
            place = re.compile(r"\s*,?\s*").match(markup, place).end()  # type: ignore[union-attr]
    except ValueError:
        return None
    _, traces, layout = values
    return {"data": traces, "layout": layout} if isinstance(traces, list) and isinstance(layout, dict) else None


def chart_html(figure: Mapping[str, Any]) -> str:
    """Return the markup of a Plotly figure, which `typesetting` draws: an element with the figure as JSON."""
    note = "An interactive chart (Plotly) is left out here: run the notebook to see it."
    return f'{CHART} data-figure="{escaped_html(json.dumps(figure))}"><p class="left-out">{note}</p></div>'


NOTHING = RenderedOutput("nothing")
"""What a format yields that is known, and shows nothing."""


def _note(words: str) -> RenderedOutput:
    return RenderedOutput("notice", f'<p class="left-out">{escaped_html(words)}</p>')


def _rich(found: CleanHtml) -> str:
    return f'<div class="rich">{with_formulas(with_directions(found.html))}</div>'


def _joined(content: Any) -> str:
    """Return the text of a format: a notebook may contain it as a list of lines."""
    return content if isinstance(content, str) else "".join(map(str, content))


def _json(content: Any) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False)


def _base64(content: Any) -> str:
    """Return binary content as a notebook contains it, without what can't be part of it."""
    if isinstance(content, bytes):
        return base64.b64encode(content).decode()
    return re.sub(r"[^A-Za-z0-9+/=]", "", _joined(content))


def _description(data: Mapping[str, Any]) -> str:
    """Return the description of a picture. The representation of an object says nothing about the picture."""
    text = _joined(data.get("text/plain", ""))
    return "" if text.lstrip().startswith("<") else shortened(one_line(text), 200)


def _size(about: Mapping[str, Any]) -> str:
    """Return the attributes of an image that its metadata determine: its size, and whether it needs a background."""
    attributes = ""
    for name in ("width", "height"):
        value = str(about.get(name, ""))
        if re.fullmatch(r"\d+(\.\d+)?(px)?", value):
            attributes += f'{name}="{round(float(value.removesuffix("px")))}" '
    if about.get("needs_background") in ("light", "dark"):
        attributes += f'class="needs-{about["needs_background"]}" '
    return attributes


# Text


def text_html(text: str, say: Say = ignore, name: str = "", *, most_lines: int = MAX_LINES, what: str = "printed text") -> str:
    """Return printed text as HTML, as a terminal shows it. ``name`` is a class of the ``pre``; ``what`` a noun for notices.

    If the text is too long, its middle is left out; a line says so.
    """
    lines = terminal_lines(text, MAX_TEXT)
    if lines and not lines[-1]:
        del lines[-1]
    first, last = _beginning(lines, most_lines, MAX_TEXT, 3), _beginning(lines[::-1], most_lines, MAX_TEXT, 1)
    if first + last < len(lines) and (len(lines) > most_lines or sum(map(len, lines)) > MAX_TEXT):
        gone = len(lines) - first - last
        say(f"{gone:,} lines of {what} are left out; the limit is {most_lines} lines, or {MAX_TEXT:,} characters")
        lines[first : len(lines) - last] = [f'<span class="left-out">... ({gone:,} lines are left out here) ...</span>']
    cut = [line for line in lines if line.endswith(" more characters are left out)")]
    if cut:
        count = "one line of {} is" if len(cut) == 1 else f"{len(cut):,} lines of {{}} are"
        say(f"{count.format(what)} cut off; the limit is {MAX_TEXT:,} characters")
    start = (f'<pre class="{name}">' if name else "<pre>") + "\n" * (lines[:1] == [""])  # HTML ignores the first line feed
    return with_directions(f"{start}{chr(10).join(lines)}</pre>")


def _beginning(lines: list[str], most_lines: int, most: int, quarters: int) -> int:
    """Return how many lines fit into so many quarters of the limits."""
    size, room = 0, most * quarters // 4
    for number, line in enumerate(lines[: most_lines * quarters // 4]):
        size += len(line)
        if size > room:
            return max(1, number)
    return min(len(lines), most_lines * quarters // 4)


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
