# SPDX-License-Identifier: GPL-2.0-only
"""The distribution of the marks of an exercise: how many learners have how many points, as a plot and in words."""

from __future__ import annotations

from statistics import median
from typing import Any

from ...plots.chart import Chart
from .class_summary import ExerciseSummary
from .markup import count

WIDTH, HEIGHT = 300, 170
"""The size of a plot in pixels: it fits a phone's screen, so that its text keeps its size."""

BINS = 21
"""The maximum number of bars. If there are more different marks, a bar stands for several."""


def distribution(title: str, exercise: ExerciseSummary) -> Chart:
    """The plot of an exercise's marks. ``title`` names the exercise."""
    bars = _bars(exercise)

    def plot(figure: Any, palette: dict[str, str]) -> None:
        axes = figure.subplots()
        places, heights = range(len(bars)), [many for _, many in bars]
        # a full mark has another colour and an edge of its own, so that it is found without its colour
        colours = [palette["guest"]] * (len(bars) - 1) + [palette["shadow"]]
        axes.bar(places, heights, color=colours, width=0.8)
        step = max(1, round(len(bars) / 7))
        shown = [place for place in places if place % step == 0 and (place + step <= len(bars) - 1 or place == len(bars) - 1)]
        shown = sorted({*shown, len(bars) - 1})
        axes.set_xticks(shown, [bars[place][0] for place in shown])
        axes.set_xlabel("points")
        axes.set_ylabel("learners")
        axes.grid(axis="x", visible=False)
        axes.yaxis.get_major_locator().set_params(integer=True, nbins=4)

    return Chart(title, in_words(exercise), ["points", "learners"], bars, plot, height=HEIGHT, width=WIDTH)


def in_words(exercise: ExerciseSummary) -> str:
    """The distribution in words."""
    if not exercise.judged:
        return "Nothing was judged."
    full, none = exercise.points[exercise.of], exercise.points[0]
    middle = median(exercise.points.elements())
    return (
        f"Of {count(exercise.judged, 'learner')}, {full:,} {'has' if full == 1 else 'have'} all {exercise.of} points and "
        f"{none:,} {'has' if none == 1 else 'have'} none. The median is {middle:g}."
    )


def _bars(exercise: ExerciseSummary) -> list[tuple[str, int]]:
    """The points that each bar stands for, and how many learners have them. The last bar is that of a full mark."""
    width = -(-exercise.of // (BINS - 1)) or 1
    bars = [0] * (-(-exercise.of // width) + 1)
    for points, many in exercise.points.items():
        bars[-1 if points >= exercise.of else max(0, points) // width] += many
    labels = [str(low) if width == 1 else f"{low}-{min(low + width, exercise.of) - 1}" for low in range(0, exercise.of, width)]
    return list(zip([*labels, str(exercise.of)], bars, strict=True))
