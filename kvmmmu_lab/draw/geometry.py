# SPDX-License-Identifier: GPL-2.0-only
"""Rectangles and curves in a drawing, in pixels; y grows downwards. A curve is a list of points: its start, then three
for each cubic Bézier piece.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import hypot
from typing import NamedTuple

Point = tuple[float, float]

HEAD, HALF = 7.0, 2.9
"""Length of an arrowhead, and half its width, in pixels."""


class Box(NamedTuple):
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """The x coordinate of the right side."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """The y coordinate of the lower side."""
        return self.y + self.height

    @property
    def middle(self) -> float:
        """The x coordinate of the centre."""
        return self.x + self.width / 2

    def meets(self, other: Box) -> bool:
        """Return whether the two rectangles overlap."""
        return self.x < other.right and other.x < self.right and self.y < other.bottom and other.y < self.bottom


class Line(NamedTuple):
    """The shape of an edge: its line and arrowhead ("" for none) as SVG path data, and the right end of its label."""

    d: str
    head: str = ""
    label: Point | None = None


def points(d: str) -> list[Point]:
    """Return the curve that the SVG path ``d`` describes; an empty list if it doesn't describe a curve."""
    numbers = [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", d)]
    found = list(zip(numbers[::2], numbers[1::2], strict=True))
    return found if len(found) >= 4 and len(found) % 3 == 1 else []


def curve(start: Point, end: Point) -> list[Point]:
    """Return a one-piece curve that begins and ends horizontally."""
    bend = 0.6 * abs(end[0] - start[0])
    return [start, (start[0] + bend, start[1]), (end[0] - bend, end[1]), end]


def arrow(line: list[Point]) -> Line:
    """Return the line with an arrowhead in place of its last pixels."""
    tip = line[-1]
    before = next((point for point in reversed(line) if hypot(tip[0] - point[0], tip[1] - point[1]) > 1), line[0])
    length = hypot(tip[0] - before[0], tip[1] - before[1]) or 1.0
    across, down = (tip[0] - before[0]) / length, (tip[1] - before[1]) / length
    base = tip[0] - HEAD * across, tip[1] - HEAD * down
    wings = [(base[0] - side * HALF * down, base[1] + side * HALF * across) for side in (1, -1)]
    handle = base if length < HEAD or before != line[-2] else before
    return Line(path([*line[:-2], handle, base]), f"M{_xy(tip)} L{_xy(wings[0])} L{_xy(wings[1])} Z")


def path(line: list[Point]) -> str:
    """Return the line as SVG path data."""
    return f"M{_xy(line[0])} C{' '.join(map(_xy, line[1:]))}"


def height_at(line: list[Point], x: float) -> float | None:
    """Return the y coordinate of the first point of a curve with this x coordinate; None if there is none."""
    return next((down for across, down in dots(line) if across >= x), None)


def dots(line: list[Point]) -> Iterator[Point]:
    """Yield points on a curve, 17 for each piece."""
    for k in range(0, len(line) - 3, 3):
        for part in (n / 16 for n in range(17)):
            weights = ((1 - part) ** 3, 3 * part * (1 - part) ** 2, 3 * part**2 * (1 - part), part**3)
            pairs = list(zip(weights, line[k : k + 4], strict=True))
            yield sum(weight * point[0] for weight, point in pairs), sum(weight * point[1] for weight, point in pairs)


def through(start: Point, bars: list[tuple[float, float, float]], end: Point) -> list[Point]:
    """Return a curve from start to end that is horizontal along each of ``bars``, given as (left, right, y)."""
    found, at = [start], start
    for left, right, y in bars:
        found += [*curve(at, (left, y))[1:], *straight((left, y), (right, y))[1:]]
        at = (right, y)
    return [*found, *curve(at, end)[1:]]


def straight(start: Point, end: Point) -> list[Point]:
    """Return a straight line as a curve."""
    thirds = [(start[0] + (end[0] - start[0]) * k / 3, start[1] + (end[1] - start[1]) * k / 3) for k in (1, 2)]
    return [start, *thirds, end]


def detour(start: Point, end: Point, x: float) -> list[Point]:
    """Return a curve between two points that runs along a vertical line at ``x``, left of both."""
    turn = min(12.0, abs(end[1] - start[1]) / 2) * (1 if end[1] >= start[1] else -1)
    high, low = (x, start[1] + turn), (x, end[1] - turn)
    return [start, (x, start[1]), (x, start[1]), high, *straight(high, low)[1:], (x, end[1]), (x, end[1]), end]


def _xy(point: Point) -> str:
    return f"{point[0]:.1f},{point[1]:.1f}"
