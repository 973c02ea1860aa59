# SPDX-License-Identifier: GPL-2.0-only
"""A film as HTML: the output of a notebook cell, or a standalone page. Neither needs a network or a kernel.

The HTML has a still picture and the list of steps, the film as JSON, and a script that replaces the still picture by the
player. Where scripts don't run (a notebook that isn't trusted, paper, a feed reader) the still picture remains.

Film and player are compressed, since each output has them: a lesson with a dozen films stays below a megabyte. The player is
the same in all outputs of a version of the kit; a film that changes is one line in a diff.

`read_film` reads a film back from HTML.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
import string
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from importlib.resources import files
from typing import Any

from ..draw.svg import data_url
from ..errors import InputError
from ..files import packed, parse_json, unpacked
from ..printable import escaped_html

FORMAT, VERSION = "kvmmmu-lab film", 2
"""Format and version of a film's data. The player plays only this version."""

MODULES = ("elements.js", "notebook.js", "stage.js", "focus.js", "host.js", "panels.js", "player.js")
"""The modules of the player; each imports only modules before it."""

SVG = "http://www.w3.org/2000/svg"

PLACE, DATA = "kvmmmu-film", "kvmmmu-film-data"
"""CSS classes of the element that the player fills, and of the script element with the film as JSON."""

_IMPORT = re.compile(r'^import \{[^}]*\} from "[\w./]+";\n', re.MULTILINE)


def one_module(*texts: str) -> str:
    """Return ES modules joined to one, without their imports of each other: each imports only modules before it."""
    return "\n".join(_IMPORT.sub("", text) for text in texts)


@functools.cache
def script() -> str:
    """Return the player as the text of one ES module."""
    return one_module(*map(resource, MODULES))


@functools.cache
def style() -> str:
    """Return the style rules of the player."""
    return resource("player.css")


@functools.cache
def slide_script() -> str:
    """Return the player and its variant for slides as the text of one ES module."""
    return one_module(*map(resource, (*MODULES, "slide.js")))


@functools.cache
def slide_style() -> str:
    """Return the style rules of the player and its variant for slides."""
    return resource("player.css") + resource("slide.css")


def film_html(
    film: Mapping[str, Any],
    still: str | None = None,
    *,
    step: int = 0,
    theme: str = "auto",
    source: Mapping[str, Any] | None = None,
) -> str:
    """Return a film as the output of a cell: a still picture and the list of steps, which a script replaces by the player.

    ``still``: an SVG to show instead of the one from `still_svg`. ``step``: the first step that the player shows.
    ``source``: the lines of the kernel's source for each reference in the film (see `kernel_source.excerpts`). Raises
    InputError for a theme other than auto, light and dark.
    """
    if theme not in ("auto", "light", "dark"):
        raise InputError("theme", theme, "auto, light or dark")
    options = {"step": step, "theme": theme, **({"source": source} if source else {})}
    content = as_script({"options": options, "film": film})
    # Made from the content, so that the same film is always the same HTML
    id = hashlib.sha256(content.encode()).hexdigest()[:12]
    data = json.dumps({"packed": packed(content)})
    return (
        f'<div class="{PLACE}" data-film="{id}">{_still(film, still)}</div>\n'
        f'<script type="application/json" class="{DATA}" data-film="{id}">{data}</script>\n'
        f'<script type="module">\n{_loader().safe_substitute(film=id)}</script>'
    )


@functools.cache
def _loader() -> string.Template:
    """Return ``loader.js`` with the player; ``$film`` is still to be replaced."""
    player = packed(json.dumps({"script": compact(script()), "style": compact(style())}))
    name = hashlib.sha256(player.encode()).hexdigest()[:12]
    text = string.Template(compact(resource("loader.js")))
    return string.Template(text.safe_substitute(name=name, player=player, place=PLACE, data=DATA))


def compact(text: str) -> str:
    """Return a script or style rules without comments that fill whole lines, and without indentation."""
    return re.sub(r"^[ \t]+|^\s*(?://.*|/\*(?s:.*?)\*/)[ \t]*\n", "", text, flags=re.MULTILINE)


@dataclass(frozen=True)
class FilmOutput:
    """A film in the output of a cell: its data, the options of the player, and the still picture as HTML."""

    data: dict[str, Any]
    options: dict[str, Any]
    still: str


def read_film(markup: str) -> FilmOutput | None:
    """Return the film that `film_html` embedded anywhere in ``markup``; None if there is none.

    Films that are damaged or of another format or version are ignored: the player can't play them. The still picture remains.
    """
    if DATA not in markup:
        return None
    reader = _FilmReader()
    reader.feed(markup)
    reader.close()
    try:
        found = parse_json(unpacked(parse_json(reader.data)["packed"]))
        film, options = found["film"], found["options"]
        playable = (film["format"], film["version"]) == (FORMAT, VERSION) and _is_film(film) and isinstance(options, dict)
    except (ValueError, LookupError, TypeError, AttributeError, ET.ParseError):
        return None
    return FilmOutput(film, options, reader.still) if playable else None


def _is_film(film: Mapping[str, Any]) -> bool:
    """Whether a film's data has what the pictures and the list of steps are made of. Raises LookupError,
    TypeError, AttributeError or ParseError."""
    texts, steps = [film["title"], film["css"]], 0
    for chapter in film["chapters"]:
        texts += [chapter["title"], chapter["svg"]]
        ET.fromstring(chapter["svg"])
        for step in chapter["steps"]:
            steps += 1
            texts += [step["words"], step["place"]]
            appearances = list(step["set"].values())
            if not isinstance(step["changes"], list) or not all(isinstance(one, list) and one for one in appearances):
                return False
            texts += [text for appearance in appearances for text in appearance]
    return bool(steps) and all(isinstance(text, str) for text in texts)


class _FilmReader(HTMLParser):
    """Collects the JSON of the first film in HTML, and the markup of the still picture that precedes it."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.data = self.still = ""
        self._depth = 0
        """The number of open ``div`` elements in the still picture around the parser's position; 0 outside."""
        self._in_data = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        classes = (dict(attrs).get("class") or "").split()
        if self._depth:
            self.still += self.get_starttag_text() or ""
            self._depth += tag == "div"
        elif tag == "div" and PLACE in classes and not self.still:
            self._depth = 1
        self._in_data = tag == "script" and DATA in classes and not self.data

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._keep(self.get_starttag_text() or "")

    def handle_endtag(self, tag: str) -> None:
        self._depth -= bool(self._depth) and tag == "div"
        self._keep(f"</{tag}>")
        self._in_data = False

    def handle_data(self, data: str) -> None:
        if self._in_data:
            self.data += data
        self._keep(data)

    def handle_entityref(self, name: str) -> None:
        self._keep(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self._keep(f"&#{name};")

    def _keep(self, markup: str) -> None:
        if self._depth:
            self.still += markup


def film_page(
    film: Mapping[str, Any],
    still: str | None = None,
    *,
    lang: str = "en",
    step: int = 0,
    theme: str = "auto",
    source: Mapping[str, Any] | None = None,
) -> str:
    """Return a film as a complete page, which needs neither a server nor a network. For the arguments, see `film_html`."""
    shown = film_html(film, still, step=step, theme=theme, source=source)
    page = string.Template(resource("page.html"))
    return page.substitute(lang=escaped_html(lang), title=escaped_html(str(film["title"])), player=shown)


def still_svg(film: Mapping[str, Any], step: int | None = None) -> str:
    """Return the drawing at a step, counted over the whole film (None: the last), as a standalone SVG file."""
    chapter, local = _chapter_at(film, step)
    root = ET.fromstring(chapter["svg"])
    groups = {group.get("data-key"): group for group in root.iter() if group.get("data-key")}
    for one in chapter["steps"][: local + 1]:
        for key, appearance in one["set"].items():
            if key in groups:
                _set_appearance(groups[key], appearance)
    for element in root.iter():
        element.tag = f"{{{SVG}}}{element.tag.rpartition('}')[2]}"
    css = ET.Element(f"{{{SVG}}}style")
    css.text = film["css"]
    root.insert(0, css)
    ET.register_namespace("", SVG)
    return ET.tostring(root, encoding="unicode")


def as_script(data: Any) -> str:
    """Return data as JSON for a script element: no text in it can end the script."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def resource(name: str) -> str:
    """Return the text of a file of the player: a module, its style or a template."""
    return files(__package__).joinpath(name).read_text("utf-8")


def _chapter_at(film: Mapping[str, Any], step: int | None) -> tuple[Mapping[str, Any], int]:
    """Return the chapter that contains a step, and the step's number in it."""
    places = [(chapter, local) for chapter in film["chapters"] for local in range(len(chapter["steps"]))]
    number = len(places) - 1 if step is None else step
    if not 0 <= number < len(places):
        raise InputError("step", step, f"a number from 0 to {len(places) - 1}")
    return places[number]


def _set_appearance(group: ET.Element, appearance: list[str]) -> None:
    """Set the class and the texts of an element of a drawing."""
    group.set("class", appearance[0])
    texts = [child for child in group if child.tag.rpartition("}")[2] in ("title", "text")]
    for child, words in zip(texts, appearance[1:], strict=False):
        child[:] = []
        child.text = words


def _still(film: Mapping[str, Any], still: str | None) -> str:
    """Return the HTML shown without scripts: the picture as an image (bare SVG may be broken there), and the list of steps."""
    steps = [step for chapter in film["chapters"] for step in chapter["steps"]]
    address = data_url(still_svg(film) if still is None else still)
    name = escaped_html(f"{film['title']}: the last of {len(steps) - 1} steps. {steps[-1]['words']}")
    card = film.get("card")
    rows = "".join(f"<div>{escaped_html(row)}</div>" for row in card["rows"]) if card else ""
    ending = f'<div role="alert"><strong>{escaped_html(card["title"])}</strong>{rows}</div>' if card else ""
    listed = "".join(f"<li>{escaped_html(_line(step))}</li>" for step in steps)
    return (
        f'<div class="kvmmmu-still" style="overflow-x:auto;background:#fff;border-radius:6px">'
        f'<img alt="{name}" style="max-width:none" src="{address}"></div>{ending}'
        f'<details><summary>All steps of this film</summary><ol start="0">{listed}</ol></details>'
    )


def _line(step: Mapping[str, Any]) -> str:
    return f"{step['words']} [{step['place']}]" if step["place"] else step["words"]
