# SPDX-License-Identifier: GPL-2.0-only
"""A film laid out again for a room, from its data alone: `fitted`."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from typing import Any

from ..draw.room import SLIDE, Room, counted, fit, with_texts
from ..draw.scene import scene_of
from ..draw.svg import Appearance, Drawing
from ..errors import InputError


def fitted(film: Mapping[str, Any], room: Room = SLIDE) -> dict[str, Any]:
    """Return a film's data with the drawing of each chapter laid out for a room.

    A chapter then also has ``folded``, the keys of what isn't drawn, and ``fits``, whether the drawing isn't larger than the
    room. A chapter stays as it is, and has neither, if its ``stage`` is missing, because an older kit made it, or is damaged.
    """
    return {**film, "chapters": [_fitted_or_not(chapter, room) for chapter in film["chapters"]]}


def remarks(film: Mapping[str, Any]) -> list[str]:
    """Return clauses that state what a `fitted` film doesn't show as it should be shown."""
    found = []
    for chapter in film["chapters"]:
        title = f"“{chapter['title']}”"
        if "fits" not in chapter:
            found.append(f"the film of {title} is shrunk: it was made by an older kit; run the cell again")
        elif not chapter["fits"]:
            found.append(f"the drawing of {title} is larger than a slide, so each step shows a part of it")
        if chapter.get("folded"):
            found.append(f"the drawing of {title} leaves out {counted(chapter['folded'])} to which nothing happens")
    return found


def _fitted_or_not(chapter: Mapping[str, Any], room: Room) -> Mapping[str, Any]:
    try:
        return _fitted(chapter, room)
    except (ValueError, LookupError, TypeError, AttributeError, InputError):
        return chapter


def _fitted(chapter: Mapping[str, Any], room: Room) -> dict[str, Any]:
    root = ET.fromstring(chapter["svg"])
    first = _appearances(root)
    looks = [first, *(step["set"] for step in chapter["steps"])]
    found = fit(with_texts(scene_of(chapter["stage"]), looks), room, _concerned(chapter))
    now = {key: look for key in first if (look := found.look(key, first[key])) is not None}
    svg = Drawing(found.stage, found.layout).bare(now, root.get("aria-label", ""), found.notes)
    steps = []
    for step in chapter["steps"]:
        changed = {key: found.look(key, look) for key, look in step["set"].items()}
        steps.append({**step, "set": {key: look for key, look in changed.items() if look is not None}})
    return {**chapter, "svg": svg, "steps": steps, "folded": list(found.folded), "fits": found.fits}


def _appearances(root: ET.Element) -> dict[str, Appearance]:
    """Return the appearance of each part of a drawing."""
    found = {}
    for group in root.iter():
        if key := group.get("data-key"):
            texts = [child.text or "" for child in group if child.tag.rpartition("}")[2] in ("title", "text")]
            found[key] = [group.get("class", ""), *texts]
    return found


def _concerned(chapter: Mapping[str, Any]) -> set[str]:
    """Return the keys of all that a chapter's steps mark or change."""
    found = set()
    for step in chapter["steps"]:
        found |= {*step["about"], *step["set"], *(change["key"] for change in step["changes"])}
    return {end for key in found for end in (key.split("|")[1:] or [key])}
