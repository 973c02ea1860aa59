# SPDX-License-Identifier: GPL-2.0-only
"""Storyboards: for print, a film is replaced with pictures of its key steps and their captions."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..draw.svg import data_url
from ..player.page import still_svg
from ..printable import escaped_html
from .slides import Slide, SlideElement

MAX_STEPS = 6
"""The maximum number of steps that are shown per film."""

FLAT = 0.45
"""The maximum ratio of height to width of a flat picture. A page has room for four flat pictures or two others."""


def storyboard_slides(slide: Slide) -> Iterator[Slide]:
    """Yield the printed pages of a slide: the slide without its films, then the key steps of each film."""
    rest = [element for element in slide.elements if element.film is None]
    if rest or not slide.films:
        yield replace(slide, elements=rest)
    for film in slide.films:
        figures = list(_figures(film.data))
        per_page = 4 if all(_is_flat(chapter["svg"]) for chapter in film.data["chapters"]) else 2
        for at in range(0, len(figures), per_page):
            board = f'<div class="storyboard of-{per_page}">{"".join(figures[at : at + per_page])}</div>'
            yield replace(slide, continued=bool(slide.title), elements=[SlideElement("film", board)], notes=[])


def key_steps(film: Mapping[str, Any], most: int = MAX_STEPS) -> list[int]:
    """Choose at most ``most`` steps that change the structure. Return their numbers, counted from the start of the film.

    In these steps a table, an entry or an arrow appears or disappears, or an entry changes. If there are more, those with
    the most changes are chosen. The last step is always chosen.
    """
    weights, number = dict[int, float](), -1
    for chapter in film["chapters"]:
        for place, step in enumerate(chapter["steps"]):
            number += 1
            # "set" is empty in the first step of a chapter, since the chapter's drawing shows that step
            structural = sum(_is_structural(appearance) for appearance in step["set"].values())
            last = number > 0 and place == len(chapter["steps"]) - 1
            weights[number] = len(step["changes"]) + structural / 4 + last / 8
    chosen = sorted((n for n in weights if weights[n]), key=lambda n: -weights[n])[: most - 1]
    return sorted({*chosen, number})


def _is_structural(appearance: list[str]) -> bool:
    """Return whether an element appears or disappears. Marks such as "read" don't count: they change at each step."""
    return bool({"absent", "new", "dead"} & set(appearance[0].split()))


def _is_flat(svg: str) -> bool:
    _, _, width, height = map(float, ET.fromstring(svg).get("viewBox", "0 0 1 1").split())
    return height <= FLAT * width


def _figures(film: Mapping[str, Any]) -> Iterator[str]:
    steps = [step for chapter in film["chapters"] for step in chapter["steps"]]
    for number in key_steps(film):
        address = data_url(still_svg(film, number))
        words, place = escaped_html(steps[number]["words"]), escaped_html(steps[number]["place"])
        yield (
            f'<figure><img alt="{escaped_html(words)}" src="{address}">'
            f"<figcaption><strong>{number}</strong> {words} <small>{place}</small></figcaption></figure>"
        )
