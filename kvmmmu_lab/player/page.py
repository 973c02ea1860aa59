# SPDX-License-Identifier: GPL-2.0-only
"""A film as HTML: an output for a notebook, or a page of its own. Neither asks a network or a kernel for anything.

What stands in the HTML is a still picture and the list of steps; a script puts the player in their place. So there is
something to see where scripts don't run: in a notebook that isn't trusted, on paper, in a feed reader.
"""

from __future__ import annotations

import functools
import html
import json
import re
import string
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from ..draw.svg import data_url
from ..errors import InputError

MODULES = ("elements.js", "stage.js", "panels.js", "player.js")
"""In the order in which they import each other."""

SVG = "http://www.w3.org/2000/svg"

STILL = "kvmmmu-still"

_IMPORT = re.compile(r'^import \{[^}]*\} from "\./[\w.]+";\n', re.MULTILINE)


@functools.cache
def script() -> str:
    """The player as the text of one ES module: its parts joined, without the imports that tied them together."""
    return "\n".join(_IMPORT.sub("", _text(name)) for name in MODULES)


@functools.cache
def style() -> str:
    """The player's rules, as CSS."""
    return _text("player.css")


def film_html(film: Mapping[str, Any], still: str | None = None, *, step: int = 0, theme: str = "auto") -> str:
    """A film as an HTML output: a still picture and the list of steps, which a script replaces by the player.

    ``still``: an SVG to show in place of the one that `still_svg` makes. ``step`` is where the player begins. Raises
    InputError for a theme that isn't auto, light or dark.
    """
    if theme not in ("auto", "light", "dark"):
        raise InputError("theme", theme, "auto, light or dark")
    name = f"kvmmmu-film-{uuid.uuid4().hex[:12]}"
    options = as_script({"step": step, "theme": theme})
    # A notebook may show one output twice, and then runs this twice
    start = (
        f'for (const place of document.querySelectorAll(".{name}"))\n'
        f'  if (!place.querySelector(".kvmmmu-player")) mount(place, {as_script(film)}, {options});'
    )
    return (
        f'<div class="{name}">{_still(film, still)}</div>\n'
        f'<style>\n{style()}</style>\n<script type="module">\n{script()}\n{start}\n</script>'
    )


@dataclass(frozen=True)
class FilmParts:
    """What `film_html` put together: the still picture, and as JSON the film and the player's options."""

    still: str
    film: str
    options: str

    @property
    def data(self) -> dict[str, Any]:
        """The film as data."""
        found: dict[str, Any] = json.loads(self.film)
        return found


_FILM = re.compile(
    r'<div class="kvmmmu-film-[0-9a-f]{12}">(?P<still>.*?)</div>\n<style>.*?'
    r"mount\(place, (?P<film>\{.*\}), (?P<options>\{[^\n]*?\})\);\n</script>",
    re.DOTALL,
)


def film_parts(markup: str) -> FilmParts | None:
    """The way back from `film_html`: its parts, wherever in the markup they stand; None where there is no film."""
    found = _FILM.search(markup) if "kvmmmu-film-" in markup else None
    return None if found is None else FilmParts(found["still"], found["film"], found["options"])


def film_page(
    film: Mapping[str, Any], still: str | None = None, *, lang: str = "en", step: int = 0, theme: str = "auto"
) -> str:
    """A film as a complete page, to be saved as a file; it needs no server and no network. See `film_html`."""
    shown = film_html(film, still, step=step, theme=theme)
    page = string.Template(_text("page.html"))
    return page.substitute(lang=html.escape(lang), title=html.escape(str(film["title"])), player=shown)


def still_svg(film: Mapping[str, Any], step: int | None = None) -> str:
    """The drawing at a step, counted over all scenes (None: the last), as an SVG file that stands for itself."""
    scene, local = _place(film, step)
    root = ET.fromstring(scene["svg"])
    groups = {group.get("data-key"): group for group in root.iter() if group.get("data-key")}
    for one in scene["steps"][: local + 1]:
        for key, look in one["set"].items():
            if key in groups:
                _wear(groups[key], look)
    for element in root.iter():
        element.tag = f"{{{SVG}}}{element.tag.rpartition('}')[2]}"
    css = ET.Element(f"{{{SVG}}}style")
    css.text = film["css"]
    root.insert(0, css)
    ET.register_namespace("", SVG)
    return ET.tostring(root, encoding="unicode")


def as_script(data: Any) -> str:
    """Data as JSON that may stand inside a script: whatever a text holds, it can't end the script."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _text(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")


def _place(film: Mapping[str, Any], step: int | None) -> tuple[Mapping[str, Any], int]:
    """The scene that has a step, and the step's number in there."""
    places = [(scene, local) for scene in film["scenes"] for local in range(len(scene["steps"]))]
    number = len(places) - 1 if step is None else step
    if not 0 <= number < len(places):
        raise InputError("step", step, f"a number from 0 to {len(places) - 1}")
    return places[number]


def _wear(group: ET.Element, look: list[str]) -> None:
    """Give a part of a drawing its class and its texts."""
    group.set("class", look[0])
    texts = [child for child in group if child.tag.rpartition("}")[2] in ("title", "text")]
    for child, words in zip(texts, look[1:], strict=False):
        child[:] = []
        child.text = words


def _still(film: Mapping[str, Any], still: str | None) -> str:
    """What shows without scripts: the picture as an image, which survives where bare SVG is torn apart, and all steps."""
    steps = [step for scene in film["scenes"] for step in scene["steps"]]
    address = data_url(still_svg(film) if still is None else still)
    name = html.escape(f"{film['title']}: the last of {len(steps)} steps. {steps[-1]['words']}", quote=True)
    card = film.get("card")
    rows = "".join(f"<div>{html.escape(row)}</div>" for row in card["rows"]) if card else ""
    ending = f'<div role="alert"><strong>{html.escape(card["title"])}</strong>{rows}</div>' if card else ""
    listed = "".join(f"<li>{html.escape(_line(step))}</li>" for step in steps)
    return (
        f'<div class="{STILL}" style="overflow-x:auto;background:#fff;border-radius:6px">'
        f'<img alt="{name}" style="max-width:none" src="{address}"></div>{ending}'
        f'<details><summary>All steps of this film</summary><ol start="0">{listed}</ol></details>'
    )


def _line(step: Mapping[str, Any]) -> str:
    return f"{step['words']} [{step['place']}]" if step["place"] else step["words"]
