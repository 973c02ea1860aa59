# SPDX-License-Identifier: GPL-2.0-only
"""What stands under a still picture: what its signs mean, and what it left out."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from . import metrics
from .scene import Scene

LEGEND = {
    "read": "> looked at",
    "changed": "* changed",
    "dead": "x, struck through: gone",
    "new": "double border: new",
}
LEFT = 10


def notes(scene: Scene, width: float, top: float, film: bool) -> tuple[list[ET.Element], float]:
    """Lines of text under a drawing of this width and height, and the height with them.

    In a ``film`` the line of the legend is always there, so that pictures of scenes with and without marks are equally
    high.
    """
    marks = {(entry or table).mark for table, entry in scene.marked()}
    legend = " · ".join(words for mark, words in LEGEND.items() if mark in marks)
    lines = [line for note in scene.notes for line in metrics.wrap(note, width - 2 * LEFT)]
    lines += [legend] if legend or film else []
    found = []
    for number, line in enumerate(lines, 1):
        place = {"class": "note", "x": str(LEFT), "y": f"{top + number * metrics.LINE - 1:.1f}"}
        found.append(ET.Element("text", place))
        found[-1].text = line
    return found, top + len(lines) * metrics.LINE + 5 * bool(lines)
