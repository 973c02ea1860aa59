# SPDX-License-Identifier: GPL-2.0-only
"""A film on paper: the steps in which something structural changes, as pictures with captions."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..draw.svg import data_url
from ..player.page import still_svg
from .slides import Part, Sheet

MOST = 6
"""So many steps of a film at most."""

FLAT = 0.45
"""Of pictures up to this height by their width, four go on a page, else two."""


def key_steps(film: Mapping[str, Any], most: int = MOST) -> list[int]:
    """Numbers of the steps, over all scenes, in which a table, an entry or an arrow comes or goes, or an entry changes; always
    the last one. Of more than ``most``, those with most of it."""
    weights, number = dict[int, float](), -1
    for scene in film["scenes"]:
        for local, step in enumerate(scene["steps"]):
            number += 1
            # the first step of a scene has no "set": its drawing shows it
            structural = sum(_structural(key, look) for key, look in step["set"].items())
            weights[number] = len(step["changes"]) + structural / 4 + (number > 0 and local == len(scene["steps"]) - 1) / 8
    chosen = sorted(sorted((n for n in weights if weights[n]), key=lambda n: -weights[n])[: most - 1])
    return sorted({*chosen, number})


def _structural(key: str, look: list[str]) -> bool:
    """Whether a look is about being there; marks, such as "read", come and go with each step."""
    classes = set(look[0].split())
    return "absent" in classes or "new" in classes or "dead" in classes


def strip_pages(sheet: Sheet) -> Iterator[Sheet]:
    """A slide for paper: where it has a film, that is followed by pages with its key steps."""
    rest = [part for part in sheet.parts if part.film is None]
    films = [part.film.data for part in sheet.films if part.film is not None]
    if rest or not films:
        yield replace(sheet, parts=rest)
    for film in films:
        figures = list(_figures(film))
        a_page = 4 if all(_flat(scene["svg"]) for scene in film["scenes"]) else 2
        for at in range(0, len(figures), a_page):
            strip = f'<div class="strip of-{a_page}">{"".join(figures[at : at + a_page])}</div>'
            yield replace(sheet, again=bool(sheet.title), parts=[Part("film", strip)], notes=[])


def _flat(svg: str) -> bool:
    size = re.search(r'viewBox="[-\d.]+ [-\d.]+ ([\d.]+) ([\d.]+)"', svg)
    return size is not None and float(size[2]) <= FLAT * float(size[1])


def _figures(film: Mapping[str, Any]) -> Iterator[str]:
    steps = [step for scene in film["scenes"] for step in scene["steps"]]
    for number in key_steps(film):
        address = data_url(still_svg(film, number))
        words, place = html.escape(steps[number]["words"]), html.escape(steps[number]["place"])
        yield (
            f'<figure><img alt="{html.escape(words, quote=True)}" src="{address}">'
            f"<figcaption><strong>{number}</strong> {words} <small>{place}</small></figcaption></figure>"
        )
