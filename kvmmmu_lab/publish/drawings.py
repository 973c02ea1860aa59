# SPDX-License-Identifier: GPL-2.0-only
"""The drawings on slides, of films and of pictures: each is laid out for the room that it has on its slide."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import ceil
from typing import Any

from ..draw.pictures import picture_of
from ..draw.room import Room, counted
from ..errors import LabError
from ..player.fitting import fitted, remarks
from .notices import Notices, Say
from .slides import Slide, SlideElement

UNIT = 16 / 11
"""Pixels of 720 for a pixel of a drawing: the text of a drawing that fills its room has 16."""

WIDTH, HEIGHT, BESIDE_TEXT = 1170, 540, 420
"""The room below the title of a slide, in pixels of 720, and the height that a picture gets beside other elements."""

CODE_LETTER, CODE_LINE, CODE_PAD, GAP = 12, 28, 40, 22
"""The width of a letter of code, the height of a line, the space around code and between elements, in pixels of 720."""

CODE_WIDTHS = 0.31, 0.46
"""The least and the largest part of the width that code takes beside its picture."""

BELOW = 1.15
"""How much larger a picture has to be below its code than beside it to be placed there; as in ``compose.js``."""


FILM_WIDTH, FILM_HEIGHT, TITLE_LINE, TITLE_LETTERS = 1248, 540, 33, 56
"""The room of a film with its caption, in pixels of 720; the height of a line of a slide's title, and its letters."""

CAPTIONS = (36, 75, 3), (31, 82, 99)
"""A large and a small caption: the height of a line in pixels of 720, its letters, and the largest number of lines."""


def lay_out(slides: Iterable[Slide], notices: Notices) -> None:
    """Lay out the drawings of all films and pictures on slides."""
    for slide in slides:
        for element in slide.elements:
            if element.code_and_picture:
                code, pictures = element.parts
                for picture in pictures:
                    _lay_out_picture(picture, _rooms(code) if len(pictures) == 1 else [_room(WIDTH / 2, HEIGHT)], notices)
            elif element.parts:
                for inner in (inner for part in element.parts for inner in part):
                    _lay_out(inner, _room(WIDTH / len(element.parts), HEIGHT), notices)
            else:
                _lay_out(element, _room(WIDTH, HEIGHT if len(slide.elements) == 1 else BESIDE_TEXT), notices, slide.title)


def _lay_out(element: SlideElement, room: Room, notices: Notices, title: str = "") -> None:
    if element.film is not None:
        made = [fitted(element.film.data, room) for room in film_rooms(element.film.data, title)]
        # The caption is large, unless only a small one leaves enough room
        best = next((film for film in made if not remarks(film)), made[-1])
        element.film = replace(element.film, data=best)
        for words in remarks(best):
            notices.add(element.cell, words)
    elif element.kind == "picture":
        _lay_out_picture(element, [room], notices)


def film_rooms(film: Mapping[str, Any], title: str) -> list[Room]:
    """Return the room for the drawings of a film on a slide with this title: with a large caption, and with a small one."""
    longest = max(len(step["words"]) for chapter in film["chapters"] for step in chapter["steps"])
    height = FILM_HEIGHT - TITLE_LINE * (len(_text(title)) > TITLE_LETTERS)
    lines = [(line, ceil(longest / letters), most) for line, letters, most in CAPTIONS]
    return [_room(FILM_WIDTH, height - line * (count + 0.5)) for line, count, most in lines if count <= most]


def _text(markup: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", markup)).strip("\n")


def _room(width: float, height: float) -> Room:
    return Room(width / UNIT, height / UNIT)


def _rooms(code: Iterable[SlideElement]) -> list[Room]:
    """Return the room for a picture beside its code, with what the code prints, and below it."""
    lines = [line for element in code for line in _text(element.html).split("\n")]
    least, most = (part * WIDTH for part in CODE_WIDTHS)
    width = min(max(CODE_LETTER * max(map(len, lines)) + CODE_PAD, least), most)
    high = CODE_LINE * len(lines) + CODE_PAD + GAP
    return [_room(WIDTH - width - GAP, HEIGHT), _room(WIDTH, max(HEIGHT - high, BESIDE_TEXT / 2))]


def _lay_out_picture(element: SlideElement, rooms: list[Room], notices: Notices) -> None:
    """Replace each picture of the kit in an element by one for the room where it is largest."""
    if "data-scene" not in element.html:
        return
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(element.html, "html.parser")
    for place in soup.select(".kvmmmu-picture[data-scene]"):
        made = _fitted(str(place["data-scene"]), rooms, notices.at(element.cell))
        if made:
            place.replace_with(BeautifulSoup(made, "html.parser"))
    element.html = str(soup)


def _fitted(data: str, rooms: list[Room], say: Say) -> str:
    """Return the HTML of a picture for one of the rooms, the first one if the others don't make it much larger."""
    try:
        picture = picture_of(data)
        first, *others = [picture.fitted(room) for room in rooms]
    except (ValueError, LookupError, TypeError, LabError):
        return ""
    best = next((one for one in others if one.scale > BELOW * first.scale), first)
    if best.scale < 1:
        say("a picture is larger than the room that it has, so its text is small")
    if best.folded:
        say(f"a picture leaves out {counted(best.folded)} for which there is no room")
    return best.html
