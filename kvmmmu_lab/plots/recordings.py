# SPDX-License-Identifier: GPL-2.0-only
"""Plots of the recordings: exits, page tables and their shadows, the pool, flooding, and what breaks without a mechanism."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..data import open_trace, traces
from ..data.trace import ROOT_DIED
from ..errors import InputError
from ..mmu.pool import NUM_PAGES
from ..replay.first_touches import first_touches
from ..replay.mechanisms import NO_FLOODING, WITHOUT
from ..replay.timeline import DEVICE, EXITS, FILLED, TRAPPED, TRUE, Timeline, count, timeline
from ..replay.trace_replay import WAYS
from ..replay.wrong_accesses import WORDS, wrong_accesses
from .chart import Chart

LOOKS = {
    FILLED: ("shadow", "-", ""),
    TRAPPED: ("rmap", "--", "///"),
    TRUE: ("guest", "-.", "\\\\\\\\"),
    DEVICE: ("frame", ":", "xxx"),
}
"""The colour, the line and the hatching of each kind of exit: never colour alone."""

THREE = (("guest", "-"), ("shadow", "--"), ("rmap", "-."))
"""The colour and the line of each of the three recordings."""

FEW = 16
"""The largest number of rows of frames with their names."""

ROWS = 5
"""The number of rows of a table with numbers along the events."""


def short(name: str) -> str:
    """Return the name of a recording without its length: "lin64"."""
    return name.removesuffix("_20k")


def plot_exits(name: str, events: int | None = None) -> Chart:
    """Plot how often a recorded guest's page faults left the guest, and why, along its first ``events`` events (None: all).

    Raises InputError for an unknown name or an impossible number.
    """
    line, last = timeline(name), _last(name, events)
    at = _samples(line.start, last)
    total = {kind: int(line.exits[kind][last - 1]) for kind in EXITS}

    def plot(figure: Any, palette: dict[str, str]) -> None:
        axes = figure.subplots()
        for kind in EXITS:
            colour, style, _ = LOOKS[kind]
            axes.plot(at, line.exits[kind][at], style, color=palette[colour])
        axes.set_ylim(bottom=0)
        _label_ends(axes, last, [(total[kind], f"{kind}: {total[kind]:,}", palette[LOOKS[kind][0]]) for kind in EXITS])
        _name_axes(axes, last, "page faults that left the guest")

    rows = [[event, *(int(line.exits[kind][event - 1]) for kind in EXITS)] for event in _milestones(line.start, last)]
    what = ", ".join(f"{total[kind]:,} ({kind})" for kind in EXITS)
    return Chart(
        f"{short(name)}: {sum(total.values()):,} exits in {last:,} events",
        f"Running counts along the events; at the end: {what}.",
        ["event", *EXITS],
        rows,
        plot,
    )


def plot_tables(name: str) -> Chart:
    """Plot when frames of a recorded guest were page tables, and when the host shadowed them.

    Only the frames that become page tables, or cease to be, have a row. Raises InputError for an unknown name.
    """
    line = timeline(name)
    last = len(line.trace.type)
    rows = changing(line)
    ends = np.flatnonzero(line.trace.type == ROOT_DIED).tolist()
    ends = [event for event in ends if event >= line.start]
    height = min(max(300, 90 + 26 * len(rows)), 430)

    def plot(figure: Any, palette: dict[str, str]) -> None:
        axes = figure.subplots()
        place = {gfn: row for row, gfn in enumerate(rows)}
        for lives, colour, width, offset in ((line.lives, "guest", 2, -0.25), (line.shadows, "shadow", 4, 0.2)):
            for life in lives:
                if life.gfn in place:
                    y, end = place[life.gfn] + offset, last if life.end is None else life.end
                    axes.plot(
                        [max(life.begin, line.start), end], [y, y], "-", color=palette[colour], lw=width, solid_capstyle="butt"
                    )
        for event in ends:
            axes.axvline(event, color=palette["quiet"], lw=1, ls=":")
        axes.set_ylim(len(rows) - 0.3, -1 - 30 * len(rows) / (height - 60))
        names = [("guest", 2, "is a page table"), ("shadow", 4, "is shadowed"), ("quiet", 1, "a process ends")]
        styles = ["-", "-", ":"]
        handles = [_line(palette[colour], width, style) for (colour, width, _), style in zip(names, styles, strict=True)]
        axes.legend(handles, [words for *_, words in names], loc="upper left", ncols=3, borderaxespad=0.1)
        axes.set_yticks(range(len(rows)) if len(rows) <= FEW else [], [hex(gfn) for gfn in rows] if len(rows) <= FEW else [])
        axes.tick_params(axis="y", length=0)
        axes.grid(False)
        axes.set_ylabel(f"{len(rows)} frames, one row each")
        _name_events(axes, last)

    table = [[f"{gfn:#x}", _spans(line.lives, gfn, line.start), _spans(line.shadows, gfn, line.start)] for gfn in rows]
    became = sum(life.begin >= line.start for life in line.lives)
    ceased = sum(life.end is not None for life in line.lives)
    return Chart(
        f"{short(name)}: frames become page tables {became} times and cease to be {ceased} times",
        f"A row for each of {len(rows)} frames: a thin blue line while it is a page table, a thick orange one while it is "
        f"shadowed. {len(ends)} dotted lines mark where a process ends.",
        ["gfn", "is a page table", "is shadowed"],
        table,
        plot,
        height=height,
        note=f"{len(set(life.gfn for life in line.lives)) - len(rows)} more frames were page tables all the time. The guest "
        f"runs from event {line.start} on; the events before it name the page tables that exist already.",
    )


def plot_pool() -> Chart:
    """Plot how many of the host's shadow pages the recorded guests used."""
    lines = {name: timeline(name) for name in traces()}
    last = max(len(line.trace.type) for line in lines.values())

    def plot(figure: Any, palette: dict[str, str]) -> None:
        axes = figure.subplots()
        ends = []
        for (name, line), (colour, style) in zip(lines.items(), THREE, strict=True):
            at = _samples(line.start, len(line.pages))
            axes.plot(at, line.pages[at], style, color=palette[colour])
            ends.append((int(line.pages[-1]), f"{short(name)}: {int(line.pages[-1])}", palette[colour]))
        axes.axhline(NUM_PAGES, color=palette["text"], lw=1.5)
        axes.text(last / 50, NUM_PAGES - 6, f"{NUM_PAGES}: no page is free", va="top")
        axes.set_ylim(0, NUM_PAGES + 14)
        axes.set_yticks(range(0, NUM_PAGES, 50))
        _label_ends(axes, last, ends)
        _name_axes(axes, last, "shadow pages in use")

    rows: list[list[Any]] = [
        [event, *(int(line.pages[event - 1]) for line in lines.values())] for event in _milestones(0, last)
    ]
    rows.append(["most", *(int(line.pages.max()) for line in lines.values())])
    most = ", ".join(f"{short(name)} {int(line.pages.max())}" for name, line in lines.items())
    return Chart(
        f"No recording uses up the pool of {NUM_PAGES} shadow pages",
        f"Three lines that stay far below {NUM_PAGES}. The largest numbers: {most}.",
        ["event", *map(short, lines)],
        rows,
        plot,
    )


def plot_flooding() -> Chart:
    """Plot the exits of each recording as they are, and as they would be if writes in a row zapped only single entries."""
    bars = dict[str, dict[str, int]]()
    for name in traces():
        bars[f"{short(name)}, as in 2007"] = timeline(name).total
        bars[f"{short(name)}, no flooding"] = count(open_trace(name), **NO_FLOODING).total

    def plot(figure: Any, palette: dict[str, str]) -> None:
        axes = figure.subplots()
        left = np.zeros(len(bars))
        places = [row + 0.35 * (row // 2) for row in range(len(bars))]
        for kind in EXITS:
            colour, _, hatch = LOOKS[kind]
            widths = np.array([total[kind] for total in bars.values()])
            axes.barh(places, widths, 0.8, left, color=palette["stage"], edgecolor=palette[colour], hatch=hatch, label=kind)
            if not hatch:
                axes.barh(places, widths, 0.8, left, color=palette[colour])
            left += widths
        for place, total in zip(places, left, strict=True):
            axes.text(total + 60, place, f"{int(total):,}", va="center")
        axes.set_yticks(places, list(bars), color=palette["text"])
        axes.set_ylim(places[-1] + 0.6, -1.6)
        axes.set_xlim(0, max(left) * 1.1)
        axes.xaxis.set_major_formatter(lambda value, _: f"{int(value):,}")
        axes.set_xlabel("page faults that left the guest")
        axes.grid(axis="y", visible=False)
        handles, labels = axes.get_legend_handles_labels()
        handles[0] = _patch(palette["shadow"])
        axes.legend(handles, labels, ncols=4, loc="upper left", borderaxespad=0.1, columnspacing=1.0, handletextpad=0.5)

    rows = [[label, *(total[kind] for kind in EXITS), sum(total.values())] for label, total in bars.items()]
    return Chart(
        "Flooding saves more than half of the exits",
        "Two bars for each recording: "
        + "; ".join(
            f"{label}: {sum(total.values()):,} exits, {total[TRAPPED]:,} of them trapped writes"
            for label, total in bars.items()
        )
        + ".",
        ["", *EXITS, "all"],
        rows,
        plot,
        height=400,
    )


def plot_missing() -> Chart:
    """Plot how many recorded accesses go wrong without write protection or without pre-write, in both ways of replay."""
    found = {
        (name, without, way): len(wrong_accesses(name, without, way))
        for name in traces()
        for without in WITHOUT
        for way in WAYS
    }
    looks = {("prewrite", "emulated"): ("guest", ""), ("prewrite", "native"): ("guest", "///")}
    looks |= {("write-protection", "emulated"): ("shadow", ""), ("write-protection", "native"): ("shadow", "///")}

    def plot(figure: Any, palette: dict[str, str]) -> None:
        axes = figure.subplots()
        for at, ((without, way), (colour, hatch)) in enumerate(looks.items()):
            for group, name in enumerate(traces()):
                x, n = group * 5 + at, found[name, without, way]
                face = palette["stage"] if hatch else palette[colour]
                label = f"{WORDS[without]}, {way}" if not group else None
                axes.bar(x, n, 0.85, color=face, edgecolor=palette[colour], hatch=hatch, label=label)
                axes.text(x, n + 1, f"{n}", ha="center", va="bottom")
        axes.set_xticks(
            [group * 5 + 1.5 for group in range(len(traces()))], [short(name) for name in traces()], color=palette["text"]
        )
        axes.set_ylim(0, max(found.values()) * 1.5)
        axes.set_ylabel("accesses that go wrong")
        axes.grid(axis="x", visible=False)
        axes.legend(ncols=2, loc="upper right")

    rows = [
        [
            short(name),
            WORDS[without],
            *(found[name, without, way] for way in WAYS),
            f"{int(wrong_accesses(name, without, way)[0].event):,}",
        ]
        for name in traces()
        for without, (way, _) in WITHOUT.items()
    ]
    return Chart(
        "What goes wrong without pre-write or write protection",
        "Bars for each recording, mechanism and way of replay: "
        + "; ".join(f"{short(name)} {WORDS[without]}, {way}: {n}" for (name, without, way), n in found.items())
        + ".",
        ["recording", "", *WAYS, "first at event"],
        rows,
        plot,
    )


def plot_nested(name: str) -> Chart:
    """Plot the exits of a recorded guest with shadow paging, and those that it would have with nested paging.

    With nested paging, the host's tables are empty at first, and it maps memory in pages of 4 KiB or of 2 MB. Raises InputError
    for an unknown name.
    """
    line, touches = timeline(name), first_touches(name)
    last = len(line.trace.type)
    at = _samples(line.start, last)
    devices = line.exits[DEVICE]
    shadow = sum(line.exits[kind] for kind in EXITS)
    curves = {
        "shadow": (shadow, "shadow", "-"),
        "nested, 4 KiB": (touches.frames + devices, "guest", "--"),
        "nested, 2 MB": (touches.large + devices, "rmap", "-."),
    }

    def plot(figure: Any, palette: dict[str, str]) -> None:
        axes = figure.subplots()
        for counts, colour, style in curves.values():
            axes.plot(at, counts[at], style, color=palette[colour])
        axes.set_ylim(bottom=0)
        ends = [
            (int(counts[-1]), f"{words}: {int(counts[-1]):,}", palette[colour]) for words, (counts, colour, _) in curves.items()
        ]
        _label_ends(axes, last, ends)
        _name_axes(axes, last, "exits so far")

    rows = [[event, *(int(counts[event - 1]) for counts, *_ in curves.values())] for event in _milestones(line.start, last)]
    what = ", ".join(f"{words}: {int(counts[-1]):,}" for words, (counts, *_) in curves.items())
    return Chart(
        f"{short(name)}: exits with shadow paging and with nested paging",
        f"Three rising lines. At the end, {what}.",
        ["event", *curves],
        rows,
        plot,
        note="The recorded device accesses are in each. With 2 MB, the host maps 512 frames at the first use of one of them.",
    )


def changing(line: Timeline) -> list[int]:
    """Return the gfns of the frames that become page tables or cease to be, in the order of their first change."""
    first = dict[int, int]()
    for life in line.lives:
        if life.begin >= line.start or life.end is not None:
            change = life.begin if life.begin >= line.start else life.end or 0
            first[life.gfn] = min(first.get(life.gfn, change), change)
    return sorted(first, key=lambda gfn: (first[gfn], gfn))


def _last(name: str, events: int | None) -> int:
    line = timeline(name)
    most = len(line.trace.type)
    if events is None:
        return most
    if isinstance(events, bool) or not isinstance(events, int) or not line.start < events <= most:
        raise InputError("events", events, f"a number from {line.start + 1} to {most}, or None")
    return events


def _samples(start: int, last: int) -> np.ndarray:
    """Return the events whose counts are drawn: a pixel of the plot is about 40 events."""
    return np.unique(np.append(np.arange(start, last, 40), last - 1))


def _milestones(start: int, last: int) -> list[int]:
    return [start + (last - start) * row // ROWS for row in range(1, ROWS + 1)]


def _spans(lives: tuple[Any, ...], gfn: int, start: int) -> str:
    own = [life for life in lives if life.gfn == gfn]
    texts = [f"{max(life.begin, start):,}-{'end' if life.end is None else f'{life.end:,}'}" for life in own]
    return ", ".join(texts if len(texts) <= 3 else [*texts[:2], f"{len(texts) - 2} more times"]) or "never"


def _name_events(axes: Any, last: int) -> None:
    axes.set_xlim(0, last)
    axes.set_xlabel("events of the recording")
    axes.xaxis.set_major_formatter(lambda value, _: f"{int(value):,}")


def _name_axes(axes: Any, last: int, y: str) -> None:
    _name_events(axes, last)
    axes.set_ylabel(y)
    axes.yaxis.set_major_formatter(lambda value, _: f"{int(value):,}")


def _label_ends(axes: Any, last: int, ends: list[tuple[int, str, str]]) -> None:
    """Name lines at their right ends, far enough from each other."""
    bottom, top = axes.get_ylim()
    least, at = (top - bottom) * 0.07, bottom - top
    for y, words, colour in sorted(ends):
        at = max(y, at + least)
        axes.text(last * 1.01, at, words, color=colour, va="center", clip_on=False, fontweight="bold")


def _line(colour: str, width: float, style: str) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([0], [0], color=colour, lw=width, ls=style)


def _patch(colour: str) -> Any:
    from matplotlib.patches import Patch

    return Patch(facecolor=colour, edgecolor=colour)
