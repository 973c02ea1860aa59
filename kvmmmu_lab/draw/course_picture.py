# SPDX-License-Identifier: GPL-2.0-only
"""The picture of the course: both trees, the frames and the way back, and what each lesson adds to it.

Everything keeps its place from lesson to lesson. What a lesson adds is yellow and bold, and its label begins with "new";
what the lessons before have added is quiet; what comes later isn't drawn.
"""

from __future__ import annotations

import functools
import os
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import InputError
from .metrics import text_width
from .pictures import images
from .theme import colours

WIDTH, HEIGHT = 1160, 530
"""The size in pixels: that of the room below the title of a slide, so that its text has its size there."""

SIZE, LINE = 17, 21
"""The size of the text, and the distance between its lines."""

COLUMNS = {4: 165, 3: 320, 2: 475, 1: 630}
"""The left edge of the tables of each level."""

TABLE, BAR, ROW = 125, 25, 22
"""The width of a table, and the heights of its title and of each of its three rows."""

GUEST, SHADOW = 68, 298
"""The upper edge of the guest tables and of the shadow pages."""

NAMES = {4: "PML4", 3: "PDPT", 2: "PD", 1: "PT"}
FRAMES, FRAME, FRAME_HEIGHT = 955, 100, 42
"""The left edge of the frames, and the width and height of one."""

TABLE_FRAME, DATA_FRAME = 108, 226
"""The upper edge of the frame that contains a guest table, and of a data frame."""

STYLE = f"""
.course text {{ font: {SIZE}px Helvetica, Arial, "Liberation Sans", sans-serif; fill: var(--text); }}
.course .mono {{ font-family: Menlo, Consolas, "Liberation Mono", "DejaVu Sans Mono", monospace; }}
.course .quiet, .course .old .label {{ fill: var(--quiet); }}
.course .title {{ fill: var(--on-bar); font-weight: bold; text-anchor: middle; }}
.course .label {{ stroke: var(--stage); stroke-width: 4px; paint-order: stroke; }}
.course .new .label, .course .label.middle {{ stroke: none; }}
.course .middle {{ text-anchor: middle; }}
.course .end {{ text-anchor: end; }}
.course .name {{ font-weight: bold; fill: currentColor; }}
.course rect, .course path, .course circle {{ fill: none; }}
.course .stage {{ fill: var(--stage); }}
.course .paper {{ fill: var(--paper); stroke: currentColor; stroke-width: 1.3px; }}
.course .bar, .course .head, .course .dot {{ fill: currentColor; }}
.course .rule {{ stroke: var(--rule); }}
.course .line {{ stroke: currentColor; stroke-width: 1.6px; }}
.course .dotted {{ stroke-dasharray: 2 4; }}
.course .dashed {{ stroke-dasharray: 6 4; }}
.course .box {{ fill: var(--paper); stroke: currentColor; stroke-width: 1.3px; }}
.course .guest {{ color: var(--guest); }}
.course .shadow {{ color: var(--shadow); }}
.course .frame {{ color: var(--frame); }}
.course .rmap {{ color: var(--rmap); }}
.course .list {{ color: var(--list); }}
.course .grey {{ color: var(--quiet); }}
.course .stop {{ color: var(--stop); }}
.course .band {{ fill: var(--frame-tint); }}
.course .old .line, .course .old .box {{ stroke-opacity: .55; }}
.course .old .head, .course .old .dot {{ fill-opacity: .55; }}
.course .new .line, .course .new .box {{ stroke-width: 3px; }}
.course .halo {{ stroke: var(--changed); stroke-width: 11px; stroke-linejoin: round; }}
.course .new .box, .course .new .plate {{ fill: var(--changed); }}
.course .new text {{ fill: var(--on-changed); font-weight: bold; }}
"""


class Addition(NamedTuple):
    """What a lesson adds: its name in the picture, and a sentence about it."""

    name: str
    says: str


ADDED = {
    1: Addition("address", "The address selects one entry of each table, in both trees."),
    2: Addition("A, D, refusal", "A walk of the guest's tables sets A, or is refused with an error code. A write sets D."),
    3: Addition("page fault", "A page fault fills one entry in each level of the shadow tree."),
    4: Addition("rights", "The rights of all guest entries on the path meet in the shadow entry of level 1."),
    5: Addition("hash and role", "A hash table finds a shadow page by its gfn and its role."),
    6: Addition("reverse map", "The reverse map leads from a frame back to the entries that can write it."),
    7: Addition("red light", "A frame that is shadowed as a table can't be written: its light is red."),
    8: Addition("parents", "Parents lead from a shadow page back to the entries above it."),
    9: Addition("a store zaps", "A store to a guest table zaps the shadow entries made from what it overwrites."),
    10: Addition("quadrants", "A table of a 32-bit guest has several shadow pages, one for each quadrant."),
    11: Addition("metaphysical", "A metaphysical shadow page has no guest table; a large page needs one."),
    12: Addition("root slots", "Root slots hold the root that the processor walks; a pin keeps it."),
    13: Addition("the pool", "All shadow pages come from the pool; the oldest one leaves first."),
    14: Addition("dirty log, audit", "The dirty log notes written frames; the audit compares maps with entries."),
    15: Addition("counters", "Counters show what all this costs while a real guest boots."),
    16: Addition("second walk", "In a nested walk the processor translates each guest table's address, too."),
}
"""What each lesson adds, by its number."""

ALWAYS = (
    ("Guest tables", "PML4, PDPT, PD, PT: the guest writes them"),
    ("Shadow pages", "L4, L3, L2, L1, below the tables that they shadow: the processor walks them"),
    ("Frames", "a data frame, to which both trees lead, and the frame of the guest's PT"),
    ("Way back", "a dashed line from the data frame to its shadow entry"),
)
"""What all pictures show, and the description of each."""


class CoursePicture:
    """The picture of the course at a lesson. A notebook displays it; ``str`` returns it as text, ``svg`` as a drawing."""

    def __init__(self, lesson: int) -> None:
        if isinstance(lesson, bool) or not isinstance(lesson, int) or not 0 <= lesson <= len(ADDED):
            raise InputError("number", lesson, f"the number of a lesson, from 0 to {len(ADDED)}")
        self.lesson = lesson

    @functools.cached_property
    def svg(self) -> str:
        """The picture as SVG in light colours."""
        return self.drawn()

    def drawn(self, dark: bool = False) -> str:
        """Return the picture as SVG."""
        return _Pen(self.lesson).picture(self.alternative, dark)

    @functools.cached_property
    def html(self) -> str:
        """The picture as HTML, with an image for each theme. A narrow page shrinks it."""
        return images(self.drawn(), self.drawn(dark=True), self.alternative, shrinks=True)

    @property
    def alternative(self) -> str:
        """A description for readers who can't see the picture."""
        always = "; ".join(f"{name.lower()}: {says}" for name, says in ALWAYS)
        parts = [f"The picture of the course: {always}."]
        earlier = [ADDED[number].name for number in range(1, self.lesson)]
        parts += [f"From earlier lessons: {', '.join(earlier)}."] if earlier else []
        new = ADDED.get(self.lesson)
        return " ".join([*parts, *([f"New: {new.name}. {new.says}"] if new else [])])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture to a file, .svg or .txt. Raises InputError for another suffix or a file that can't be written."""
        file = Path(path)
        if file.suffix not in (".svg", ".txt"):
            raise InputError("path", str(path), "a file whose name ends in .svg or .txt")
        try:
            file.write_text(f"{self.svg if file.suffix == '.svg' else self}\n", "utf-8")
        except OSError as error:
            raise InputError("path", str(path), f"a file that can be written ({error.strerror})") from error

    def __str__(self) -> str:
        """The picture as text: what it shows line by line, and a sign for what is new."""
        lines = [f"The picture of the course, lesson {self.lesson}", ""]
        lines += [f"  {name:<18}{says}" for name, says in ALWAYS]
        for number in range(1, self.lesson + 1):
            name, says = ADDED[number]
            lines.append(f"{'*' if number == self.lesson else ' '} {name:<18}{says}")
        return "\n".join([*lines, *(["", "* new in this lesson"] if self.lesson else [])])

    __repr__ = __str__

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": str(self)}


def course_picture(number: int) -> CoursePicture:
    """Draw the picture of the course at lesson ``number``, with what that lesson adds marked. Lesson 0 adds nothing."""
    return CoursePicture(number)


class _Pen:
    """Draws the picture. ``at`` is the element to which it adds, ``number`` the lesson whose addition it draws."""

    def __init__(self, lesson: int) -> None:
        self.lesson, self.number = lesson, 0
        self.root = self.at = ET.Element("svg")

    def picture(self, name: str, dark: bool) -> str:
        """Return the whole picture as SVG."""
        place = {"viewBox": f"0 0 {WIDTH} {HEIGHT}", "width": str(WIDTH), "height": str(HEIGHT)}
        about = {"xmlns": "http://www.w3.org/2000/svg", "class": "course", "role": "img", "aria-label": name}
        self.root.attrib.update(about | place)
        style = ET.SubElement(self.root, "style")
        style.text = STYLE.strip()
        for colour, value in colours(dark).items():
            style.text = style.text.replace(f"var(--{colour})", value)
        self.rect("stage", 0, 0, WIDTH, HEIGHT, 6)
        self.trees()
        for number, draw in list(_DRAWN.items())[: self.lesson]:
            self.number, self.at = number, ET.SubElement(self.root, "g", {"class": "new" if number == self.lesson else "old"})
            draw(self)
        return re.sub(r'(?<=\d)\.0(?=")', "", ET.tostring(self.root, encoding="unicode"))

    # Elements

    def element(self, tag: str, kind: str, **attributes: float | str) -> ET.Element:
        """Add an element with a class and attributes."""
        return ET.SubElement(self.at, tag, {"class": kind, **{key: str(value) for key, value in attributes.items()}})

    def rect(self, kind: str, x: float, y: float, width: float, height: float, radius: float = 3) -> None:
        """Add a rectangle. A plate makes what lies on it yellow while it is new."""
        if kind != "plate" or self.number == self.lesson:
            self.element("rect", kind, x=x, y=y, width=width, height=height, rx=radius)

    def text(self, words: str, x: float, y: float, kind: str = "") -> None:
        """Add a line of text, of which ``y`` is the base line."""
        self.element("text", kind, x=x, y=y).text = words

    def line(self, path: str, kind: str = "list", style: str = "") -> None:
        """Add a line. While it is new, it has a yellow halo."""
        if self.number and self.number == self.lesson:
            self.element("path", "halo", d=path)
        self.element("path", f"line {kind} {style}".rstrip(), d=path)

    def arrow(self, path: str, x: float, y: float, kind: str = "list", style: str = "", towards: str = "right") -> None:
        """Add a line that ends with a head at a point."""
        self.line(path, kind, style)
        a, b = 9, 5
        shape = {
            "right": f"M{x},{y} l-{a},-{b} v{2 * b} z",
            "left": f"M{x},{y} l{a},-{b} v{2 * b} z",
            "down": f"M{x},{y} l-{b},-{a} h{2 * b} z",
            "up": f"M{x},{y} l-{b},{a} h{2 * b} z",
        }[towards]
        self.element("path", f"head {kind}", d=shape)

    def label(self, x: float, y: float, anchor: str = "start", name: str = "") -> None:
        """Add the name of what this lesson adds. While it is new, it begins with "new" and lies on a yellow plate."""
        number, new = self.number, self.number == self.lesson
        words = f"{'new: ' * new}{name or ADDED[number].name}"
        width = text_width(words, SIZE, bold=new)
        left = x - width * {"start": 0, "middle": 0.5, "end": 1}[anchor]
        if new:
            self.rect("plate", round(left - 5), y - 17, round(width + 10), 23, 4)
        self.text(words, x, y, f"label {anchor}")

    # What all pictures show

    def trees(self) -> None:
        """Draw both trees, the frames, and the way back."""
        self.text("Guest tables", 14, GUEST + 17, "name guest")
        self.text("in guest memory", 14, GUEST + 17 + LINE, "quiet")
        self.text("Shadow pages", 14, SHADOW + 17, "name shadow")
        self.text("in host memory", 14, SHADOW + 17 + LINE, "quiet")
        self.element("rect", "band", x=FRAMES - 10, y=GUEST - 8, width=FRAME + 20, height=SHADOW + 106 - GUEST, rx=6)
        self.text("Frames", FRAMES, GUEST + 15, "name frame")
        for level, x in COLUMNS.items():
            self.line(f"M{x + 112},{GUEST + 92} V{SHADOW - 1}", "grey", "dotted")
            self.table("guest", x, GUEST, NAMES[level])
            self.table("shadow", x, SHADOW, f"L{level}")
        for x in (COLUMNS[4], COLUMNS[3], COLUMNS[2]):
            for kind, y in (("guest", GUEST), ("shadow", SHADOW)):
                right = x + TABLE
                self.arrow(f"M{right},{entry(y)} C{right + 18},{entry(y)} {right + 8},{y + 12} {right + 26},{y + 12}",
                           right + 30, y + 12, kind)  # fmt: skip
        right = COLUMNS[1] + TABLE
        middle = DATA_FRAME + FRAME_HEIGHT / 2
        for kind, y, end in (("guest", GUEST, middle - 11), ("shadow", SHADOW, middle)):
            path = f"M{right},{entry(y)} C{right + 100},{entry(y)} {FRAMES - 110},{end} {FRAMES - 6},{end}"
            self.arrow(path, FRAMES, end, kind)
        self.frame(TABLE_FRAME, "a PT")
        self.frame(DATA_FRAME, "data")
        self.way_back()

    def way_back(self) -> None:
        """Draw the line from the data frame back to its shadow entry."""
        right, top, low = COLUMNS[1] + TABLE, DATA_FRAME + FRAME_HEIGHT / 2 + 13, entry(SHADOW) + 6
        path = f"M{FRAMES},{top} C{FRAMES - 60},{top + 7} {FRAMES - 30},{low + 22} {FRAMES - 70},{low + 22} H{right + 40}"
        path += f" C{right + 20},{low + 22} {right + 20},{low} {right + 8},{low}"
        self.arrow(path, right + 2, low, "rmap", "dashed", "left")

    def table(self, kind: str, x: float, y: float, title: str) -> None:
        """Draw a table with three rows; a dot in the second one is the entry on the path."""
        self.element("rect", f"paper {kind}", x=x, y=y, width=TABLE, height=BAR + 3 * ROW, rx=4)
        self.element("rect", f"bar {kind}", x=x, y=y, width=TABLE, height=BAR, rx=4)
        self.text(title, x + TABLE / 2, y + 18, "title")
        for number in (1, 2):
            self.element("path", "rule", d=f"M{x + 1},{y + BAR + number * ROW} h{TABLE - 2}")
        self.element("circle", f"dot {kind}", cx=x + TABLE - 12, cy=entry(y), r=4)

    def frame(self, y: float, words: str) -> None:
        """Draw a frame."""
        self.element("rect", "paper frame", x=FRAMES, y=y, width=FRAME, height=FRAME_HEIGHT, rx=3)
        self.text(words, FRAMES + 12, y + 27)


def entry(top: float) -> float:
    """Return the middle of the entry on the path in a table whose upper edge is ``top``."""
    return top + BAR + 1.5 * ROW


def _address(pen: _Pen) -> None:
    for x in COLUMNS.values():
        pen.rect("box list", x, 10, TABLE, 26)
        pen.text("9 bits", x + TABLE / 2, 29, "middle mono")
        pen.line(f"M{x + 10},36 V{GUEST} M{x + 10},{GUEST + 92} V{SHADOW}", "list")
        for y in (entry(GUEST), entry(SHADOW)):
            pen.rect("plate", x + 2, y - 9, 24, 18)
            pen.element("path", "head list", d=f"M{x + 5},{y - 6} l8,6 l-8,6 z")
    pen.rect("box list", FRAMES, 10, FRAME, 26)
    pen.text("12 bits", FRAMES + FRAME / 2, 29, "middle mono")
    pen.line(f"M{COLUMNS[1] + TABLE},23 H{FRAMES}", "list", "dotted")
    pen.label(14, 29)


def _accessed(pen: _Pen) -> None:
    for level, x in COLUMNS.items():
        pen.rect("plate", x + 16, entry(GUEST) - 9, 20 + 22 * (level == 1), 18)
        pen.text("A" if level > 1 else "A D", x + 21, entry(GUEST) + 6, "mono")
    right, y = COLUMNS[1] + TABLE, GUEST + 12
    pen.line(f"M{right},{y} H{right + 22} M{right + 15},{y - 8} l16,16 m-16,0 l16,-16", "guest")
    pen.label(right + 40, y - 22)


def _fault(pen: _Pen) -> None:
    y = SHADOW - 22
    pen.line(f"M140,{y} H{COLUMNS[1] + 34}", "shadow")
    for x in COLUMNS.values():
        pen.arrow(f"M{x + 34},{y} V{entry(SHADOW) - 19}", x + 34, entry(SHADOW) - 10, "shadow", "", "down")
        pen.rect("plate", x + 16, entry(SHADOW) - 9, 54, 18)
        pen.text("filled", x + 21, entry(SHADOW) + 6, "label")
    pen.label(14, y + 6)


def _rights(pen: _Pen) -> None:
    for x in COLUMNS.values():
        pen.rect("box guest", x + 20, GUEST + 98, 50, 24)
        pen.text("W U", x + 45, GUEST + 116, "middle mono")
        pen.line(f"M{x + 45},{GUEST + 122} v18", "guest")
    end = COLUMNS[1] + 62
    pen.line(f"M{COLUMNS[4] + 45},{GUEST + 140} H{end - 8} q8,0 8,8", "guest")
    pen.arrow(f"M{end},{GUEST + 148} V{SHADOW - 8}", end, SHADOW, "guest", "", "down")
    pen.label(14, GUEST + 146)


def _hash(pen: _Pen) -> None:
    for number in range(3):
        pen.rect("box list", 14, 432 + 15 * number, 36, 15, 0)
    pen.arrow("M50,454 H68", 74, 454)
    pen.rect("box list", 76, 442, 82, 25)
    pen.text("gfn, role", 117, 460, "middle")
    pen.arrow(f"M158,454 C200,454 200,436 200,{SHADOW + 100}", 200, SHADOW + 92, "list", "", "up")
    pen.label(14, 424)


def _reverse_map(pen: _Pen) -> None:
    y = entry(SHADOW) + 28
    pen.way_back()
    for number in range(4):
        pen.rect("box rmap", 806 + 22 * number, y - 11, 22, 22, 0)
    pen.element("circle", "dot rmap", cx=817, cy=y, r=5)
    pen.label(806, y + 31)


def _red_light(pen: _Pen) -> None:
    x, y = FRAMES + FRAME - 22, TABLE_FRAME + 4
    pen.rect("box stop", x, y, 17, 34)
    pen.element("circle", "dot stop", cx=x + 8.5, cy=y + 9, r=6)
    pen.element("circle", "line grey", cx=x + 8.5, cy=y + 25, r=5)
    left, high, low = COLUMNS[1] + TABLE, GUEST + 36, TABLE_FRAME + 20
    pen.line(f"M{left},{high} C{left + 60},{high} {FRAMES - 60},{low} {FRAMES},{low}", "grey", "dotted")
    pen.label(FRAMES + FRAME / 2, TABLE_FRAME + FRAME_HEIGHT + 21, "middle")


def _parents(pen: _Pen) -> None:
    low = SHADOW + 92
    for x in (COLUMNS[3], COLUMNS[2]):
        path = f"M{x + 20},{low} C{x + 20},{low + 32} {x - 42},{low + 32} {x - 42},{low + 8}"
        pen.arrow(path, x - 42, low, "rmap", "dotted", "up")
    x = COLUMNS[1]
    pen.line(f"M{x + 20},{low} C{x + 20},{low + 26} {x},{low + 26} {x - 26},{low + 26}", "rmap", "dotted")
    pen.arrow(f"M{x - 88},{low + 18} V{low + 8}", x - 88, low, "rmap", "", "up")
    for number in range(5):
        pen.rect("box rmap", x - 96 + 14 * number, low + 18, 14, 16, 0)
    pen.label(COLUMNS[3] + 42, low + 52)


def _store(pen: _Pen) -> None:
    x, y = COLUMNS[1] + 98, entry(SHADOW)
    pen.arrow(f"M{x},{GUEST + 92} V{SHADOW - 8}", x, SHADOW, "shadow", "", "down")
    pen.line(f"M{x - 22},{y - 8} l16,16 m-16,0 l16,-16", "stop")
    pen.label(COLUMNS[1] + TABLE + 6, GUEST + 186)


def _quadrants(pen: _Pen) -> None:
    x, y = COLUMNS[2] + 18, GUEST + 166
    for number in range(4):
        pen.rect("box shadow", x + 17 * number, y, 17, 20, 0)
        pen.text(str(number), x + 17 * number + 8.5, y + 16, "middle mono")
    pen.label(x - 6, y + 16, "end")


def _metaphysical(pen: _Pen) -> None:
    x, y, left = COLUMNS[1] + 20, SHADOW + 140, COLUMNS[2] + TABLE
    pen.rect("box shadow dashed", x, y, TABLE - 20, 32)
    pen.text("L1", x + 14, y + 22)
    path = f"M{left},{SHADOW + 80} C{left + 26},{SHADOW + 80} {left + 4},{y + 16} {x - 8},{y + 16}"
    pen.arrow(path, x, y + 16, "shadow")
    pen.label(x + TABLE - 12, y + 22)


def _roots(pen: _Pen) -> None:
    x, y, low = COLUMNS[4], SHADOW + 58, SHADOW + 80
    for number in range(2):
        pen.rect("box shadow", 30 + 34 * number, y - 13, 34, 26, 0)
    pen.line(f"M98,{y} C{x - 25},{y} {x - 30},{low} {x},{low}", "shadow")
    pen.element("circle", "dot shadow", cx=x, cy=low, r=7)
    pen.label(14, y + 35)


def _pool(pen: _Pen) -> None:
    y, left = HEIGHT - 46, COLUMNS[4]
    pen.line(f"M{left},{y + 35} H{left + 594}", "shadow")
    for number in range(8):
        pen.rect("box shadow", left + 6 + 72 * number, y, 66, 28)
    pen.text("newest", left + 39, y + 20, "middle")
    pen.text("oldest", left + 543, y + 20, "middle")
    pen.arrow(f"M{left + 580},{y + 14} h24", left + 614, y + 14, "shadow")
    pen.label(14, y + 20)


def _log(pen: _Pen) -> None:
    x = FRAMES + FRAME + 18
    for y in (TABLE_FRAME, DATA_FRAME):
        pen.rect("box list", x, y + 12, 18, 18, 0)
    pen.line(f"M{x + 4},{DATA_FRAME + 22} l4,4 l6,-9")
    pen.label(WIDTH - 7, DATA_FRAME + 62, "end", "dirty log")
    y, left, low = SHADOW + 130, COLUMNS[1] + TABLE, SHADOW + 86
    path = f"M{left},{low} C{left + 40},{y + 12} {left + 130},{y + 12} 915,{y} M920,{y - 9} L897,{low + 8}"
    pen.line(path, "list", "dotted")
    pen.element("circle", "box list", cx=925, cy=y, r=10)
    pen.line(f"M932,{y + 7} l9,9")
    pen.label(952, y + 8, name="audit")


def _counters(pen: _Pen) -> None:
    x, y = 960, HEIGHT - 10
    for number, height in enumerate((64, 30, 46, 16)):
        pen.rect("box list", x + 26 * number, y - height, 20, height, 0)
    pen.line(f"M{x - 8},{y} h116")
    pen.label(x + 40, y - 60)


def _nested(pen: _Pen) -> None:
    for x in COLUMNS.values():
        pen.line(f"M{x + 86},{GUEST + 92} v58")
        for number in range(4):
            pen.element("circle", "box list", cx=x + 86, cy=GUEST + 101 + 15 * number, r=6)
    pen.label(14, GUEST + 116)


_DRAWN: dict[int, Callable[[_Pen], None]] = dict(
    enumerate(
        (
            _address, _accessed, _fault, _rights, _hash, _reverse_map, _red_light, _parents, _store, _quadrants, _metaphysical,
            _roots, _pool, _log, _counters, _nested,
        ),
        1,
    )
)  # fmt: skip
"""The function that draws what each lesson adds."""
