# SPDX-License-Identifier: GPL-2.0-only
"""Curves: as a renderer wrote them, with a head of our own, or made by us where it must not meddle."""

from __future__ import annotations

import re
from math import hypot
from typing import NamedTuple

Point = tuple[float, float]

HEAD, HALF = 7.0, 2.9
"""Length of an arrowhead, and half its width, in pixels."""


class Box(NamedTuple):
    """A rectangle in pixels; y grows downwards."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """Its right side."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """Its lower side."""
        return self.y + self.height

    @property
    def middle(self) -> float:
        """Half way between left and right."""
        return self.x + self.width / 2

    def meets(self, other: Box) -> bool:
        """Whether the two have a point in common."""
        return self.x < other.right and other.x < self.right and self.y < other.bottom and other.y < self.bottom


class Line(NamedTuple):
    """How an edge is drawn: ``d`` of its line and of its head ("" for none), both for an SVG path; where its words end."""

    d: str
    head: str = ""
    label: Point | None = None


def points(d: str) -> list[Point]:
    """The points of one curve of an SVG path: its start, then three for each piece."""
    numbers = [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", d)]
    found = list(zip(numbers[::2], numbers[1::2], strict=True))
    return found if len(found) >= 4 and len(found) % 3 == 1 else []


def curve(start: Point, end: Point) -> list[Point]:
    """From the right of something to the left of something else, in one piece that begins and ends level."""
    bend = 0.6 * abs(end[0] - start[0])
    return [start, (start[0] + bend, start[1]), (end[0] - bend, end[1]), end]


def arrow(line: list[Point]) -> Line:
    """The line with a head at its end, which takes the place of the line's last pixels."""
    tip = line[-1]
    before = next((point for point in reversed(line) if hypot(tip[0] - point[0], tip[1] - point[1]) > 1), line[0])
    length = hypot(tip[0] - before[0], tip[1] - before[1]) or 1.0
    across, down = (tip[0] - before[0]) / length, (tip[1] - before[1]) / length
    base = tip[0] - HEAD * across, tip[1] - HEAD * down
    wings = [(base[0] - side * HALF * down, base[1] + side * HALF * across) for side in (1, -1)]
    handle = base if length < HEAD or before != line[-2] else before
    return Line(path([*line[:-2], handle, base]), f"M{_xy(tip)} L{_xy(wings[0])} L{_xy(wings[1])} Z")


def path(line: list[Point]) -> str:
    """The line as ``d`` of an SVG path."""
    return f"M{_xy(line[0])} C{' '.join(map(_xy, line[1:]))}"


def height_at(line: list[Point], x: float) -> float | None:
    """Where a curve first reaches x, coming from the left: y there. None if it never does."""
    for k in range(0, len(line) - 3, 3):
        for part in (n / 16 for n in range(17)):
            weights = ((1 - part) ** 3, 3 * part * (1 - part) ** 2, 3 * part**2 * (1 - part), part**3)
            if sum(weight * point[0] for weight, point in zip(weights, line[k : k + 4], strict=True)) >= x:
                return sum(weight * point[1] for weight, point in zip(weights, line[k : k + 4], strict=True))
    return None


def through(start: Point, bars: list[tuple[float, float, float]], end: Point) -> list[Point]:
    """From start to end, level at each of ``bars`` (left, right, y), in soft curves between them."""
    found, at = [start], start
    for left, right, y in bars:
        found += [*curve(at, (left, y))[1:], *straight((left, y), (right, y))[1:]]
        at = (right, y)
    return [*found, *curve(at, end)[1:]]


def straight(start: Point, end: Point) -> list[Point]:
    """A straight line, as a curve."""
    thirds = [(start[0] + (end[0] - start[0]) * k / 3, start[1] + (end[1] - start[1]) * k / 3) for k in (1, 2)]
    return [start, *thirds, end]


def detour(start: Point, end: Point, x: float) -> list[Point]:
    """From the left side of something to the left side of something else, along a vertical line at ``x``."""
    turn = min(12.0, abs(end[1] - start[1]) / 2) * (1 if end[1] >= start[1] else -1)
    high, low = (x, start[1] + turn), (x, end[1] - turn)
    return [start, (x, start[1]), (x, start[1]), high, *straight(high, low)[1:], (x, end[1]), (x, end[1]), end]


def _xy(point: Point) -> str:
    return f"{point[0]:.1f},{point[1]:.1f}"
