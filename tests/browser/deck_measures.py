# SPDX-License-Identifier: GPL-2.0-only
"""Measure a deck as a room sees it: walk it with one key in a browser without a network, and look at each state.

    python tests/browser/deck_measures.py DECK.html [--size 1920x1080] [--sheets DIR]

prints a line for each slide and a summary. ``--sheets`` saves a screenshot of each state, 640 pixels wide, as contact sheets.
"""

import argparse
import io
import statistics
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

SCRIPT = Path(__file__).with_suffix(".js")
SIZES = [(1280, 720), (1920, 1080)]
LEAST = {  # pixels of 720: kind of text -> size below which it can't be read from the last row
    **dict.fromkeys(("code", "drawing", "legend", "film", "formula", "small"), 16),
    **{"title": 28, "caption": 24, "prose": 22, "table": 18},
}
MOST_PRESSES = 3000


@dataclass
class SlideMeasures:
    """One slide. ``sizes``: kind of text -> (smallest size in pixels of 720, its words). ``drawn``: share of the screen."""

    number: int
    kind: str
    title: str
    states: int = 0
    sizes: dict = field(default_factory=dict)
    shares: list = field(default_factory=list)
    end: float = 0.0
    cut: Counter = field(default_factory=Counter)
    overlapping: Counter = field(default_factory=Counter)

    @property
    def drawn(self):
        return statistics.median(self.shares) if self.shares else None

    def add(self, looked):
        self.states += 1
        for kind, (size, words) in looked["sizes"].items():
            self.sizes[kind] = min(self.sizes.get(kind, (1e9, "")), (size, words))
        if looked["drawn"]:
            self.shares.append(looked["drawn"])
        self.end = looked["end"]
        self.cut.update(looked["cut"])
        self.overlapping.update(looked["overlapping"])

    @property
    def too_small(self):
        return {kind: found for kind, found in self.sizes.items() if found[0] < LEAST[kind] - 0.05}


@dataclass
class DeckMeasures:
    """A deck at one size of the screen. ``waits``: milliseconds from each key to the frame after it."""

    name: str
    size: tuple
    megabytes: float
    slides: list = field(default_factory=list)
    missed_slides: list = field(default_factory=list)
    missed_steps: list = field(default_factory=list)  # (film, step)
    waits: list = field(default_factory=list)
    requests: list = field(default_factory=list)
    complaints: list = field(default_factory=list)

    @property
    def presses(self):
        return sum(slide.states for slide in self.slides) - 1

    @property
    def untitled(self):
        return [slide.number for slide in self.slides if not slide.title]

    @property
    def short(self):
        return [slide.number for slide in self.slides if slide.end < 0.4]

    @property
    def drawn(self):
        shares = [slide.drawn for slide in self.slides if slide.drawn is not None]
        return statistics.median(shares) if shares else None

    @property
    def wait(self):
        """The 95th percentile of the waits."""
        return sorted(self.waits)[int(0.95 * (len(self.waits) - 1))] if self.waits else 0.0

    def smallest(self, kind):
        found = [slide.sizes[kind][0] for slide in self.slides if kind in slide.sizes]
        return min(found) if found else None

    @property
    def faults(self):
        """What falls short of the measures of a deck that a room can read, as sentences."""
        found = []
        for slide in self.slides:
            where = f"slide {slide.number}"
            found += [f"{where}: {kind} of {size} px: {words!r}" for kind, (size, words) in slide.too_small.items()]
            found += [f"{where}: cut ({count} times): {what}" for what, count in slide.cut.items()]
            found += [f"{where}: overlap ({count} times): {what}" for what, count in slide.overlapping.items()]
        found += [f"slide {number}: no title" for number in self.untitled]
        found += [f"slide {number} is not reached" for number in self.missed_slides]
        found += [f"film {film}, step {step} is not reached" for film, step in self.missed_steps]
        if self.drawn is not None and self.drawn < 0.5:
            found.append(f"the median drawing takes {self.drawn:.0%} of the screen")
        if len(self.short) > 0.1 * len(self.slides):
            found.append(f"the content of {len(self.short)} of {len(self.slides)} slides ends above 40 %: {self.short}")
        if self.megabytes > 3:
            found.append(f"{self.megabytes:.1f} MB")
        found += [f"asks for {one}" for one in self.requests] + [f"says {one}" for one in self.complaints]
        return found


def grows_less(small, large):
    """Return the texts of a deck whose part of the screen is smaller on a larger screen, as sentences."""
    return [
        f"slide {slide.number}: {kind} of {slide.sizes[kind][0]} px, and {size} px on a larger screen: {words!r}"
        for slide, other in zip(small.slides, large.slides, strict=True)
        for kind, (size, words) in other.sizes.items()
        if size < 0.97 * slide.sizes.get(kind, (0, ""))[0]
    ]


def measured(browser, path, size=SIZES[0], visit=None, walk=True):
    """Walk the deck at ``path`` from its first state to its last. ``visit``: called in each state, with the page.

    ``walk``: whether to press a key for each state; otherwise only the last state of each slide is looked at.
    """
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme="light", offline=True)
    page = context.new_page()
    found = DeckMeasures(path.stem, tuple(size), path.stat().st_size / 1e6)
    page.on("request", lambda one: None if one.url.startswith(("file:", "data:", "blob:")) else found.requests.append(one.url))
    page.on("console", lambda one: found.complaints.append(one.text) if one.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: found.complaints.append(str(error)))
    page.add_init_script(SCRIPT.read_text("utf-8"))
    page.goto(path.resolve().as_uri())
    page.wait_for_selector("body.ready")
    page.mouse.move(size[0] / 2, size[1] - 1)
    steps, slides, before = set(), {}, None
    for press in range(MOST_PRESSES):
        if not walk:
            page.evaluate("number => kvmmmu.deck.slide(number, 0, 999)", press)
        looked = page.evaluate("measures.settled()")
        if looked["place"] == before:
            break
        before = looked["place"]
        number = looked["slide"]
        slide = slides.setdefault(number, SlideMeasures(number + 1, looked["kind"], looked["title"]))
        slide.add(looked)
        steps.update(map(tuple, looked["steps"]))
        if visit is not None:
            page.evaluate("measures.still()")
            visit(page, number)
        if walk:
            page.keyboard.press("ArrowRight")
    whole = page.evaluate("measures.whole()")
    found.slides = [slides[number] for number in sorted(slides)]
    found.missed_slides = [number + 1 for number in range(whole["slides"]) if number not in slides]
    there = {(film, step) for film, count in enumerate(whole["films"]) for step in range(count)}
    found.missed_steps = sorted(there - steps) if walk else []
    found.waits = page.evaluate("measures.waits")
    context.close()
    return found


class Sheets:
    """Contact sheets: PNG files of ``columns`` times ``rows`` screenshots, each 640 pixels wide."""

    def __init__(self, folder, stem, columns=3, rows=5, width=640):
        self.folder, self.stem, self.columns, self.rows, self.width = Path(folder), stem, columns, rows, width
        self.images, self.files = [], []
        self.folder.mkdir(parents=True, exist_ok=True)

    def add(self, page, number):
        """Take a screenshot of a state."""
        from PIL import Image

        image = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        self.images.append(image.resize((self.width, round(self.width * image.height / image.width)), Image.Resampling.LANCZOS))
        if len(self.images) == self.columns * self.rows:
            self.save()

    def save(self):
        """Write the screenshots since the last sheet as one more sheet."""
        from PIL import Image

        if not self.images:
            return
        gap, height = 8, self.images[0].height
        lines = -(-len(self.images) // self.columns)
        sheet = Image.new("RGB", (self.columns * (self.width + gap) + gap, lines * (height + gap) + gap), "#888888")
        for number, image in enumerate(self.images):
            line, column = divmod(number, self.columns)
            sheet.paste(image, (gap + column * (self.width + gap), gap + line * (height + gap)))
        self.files.append(self.folder / f"{self.stem}_{len(self.files) + 1:02}.png")
        sheet.save(self.files[-1])
        self.images = []


def table(found):
    """A line for each slide: states, drawing's share, where the content ends, smallest text of each kind, title."""
    yield f"{found.name} at {found.size[0]}x{found.size[1]}"
    yield " no. states drawn  ends  smallest text, in px of 720"
    for slide in found.slides:
        drawn = "" if slide.drawn is None else f"{slide.drawn:.0%}"
        sizes = ", ".join(f"{kind} {size:.1f}" for kind, (size, _) in sorted(slide.sizes.items()))
        yield f"{slide.number:4} {slide.states:6} {drawn:>5} {slide.end:5.0%}  {slide.kind or '-'}: {slide.title!r}"
        yield f"{'':25}{sizes}"


def summary(found):
    """The measures of the whole deck in one line."""
    smallest = ", ".join(f"{kind} {size:.1f}" for kind in LEAST if (size := found.smallest(kind)) is not None)
    drawn = "-" if found.drawn is None else f"{found.drawn:.0%}"
    return (
        f"{found.presses} presses, {len(found.slides)} slides; missed {len(found.missed_slides)} slides and "
        f"{len(found.missed_steps)} steps; smallest: {smallest}; drawings {drawn}; untitled {len(found.untitled)}; short "
        f"{len(found.short)}; cut {sum(bool(one.cut) for one in found.slides)}; overlapping "
        f"{sum(bool(one.overlapping) for one in found.slides)} slides; requests {len(found.requests)}; complaints "
        f"{len(found.complaints)}; {found.megabytes:.1f} MB; key to frame p95 {found.wait:.0f} ms"
    )


def main(arguments=None):
    from kvmmmu_lab.browser import chromium

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("decks", nargs="+", type=Path, metavar="DECK.html")
    parser.add_argument("--size", action="append", metavar="WIDTHxHEIGHT", help="default: 1280x720 and 1920x1080")
    parser.add_argument("--sheets", type=Path, metavar="DIR", help="save contact sheets")
    parser.add_argument("--brief", action="store_true", help="only the summary and what falls short")
    options = parser.parse_args(arguments)
    sizes = [tuple(map(int, one.split("x"))) for one in options.size or []] or SIZES
    bad = False
    with chromium() as browser:
        for path in options.decks:
            for size in sizes:
                sheets = Sheets(options.sheets, f"{path.stem}_{size[1]}") if options.sheets else None
                found = measured(browser, path, size, sheets.add if sheets else None)
                if sheets:
                    sheets.save()
                lines = [f"{found.name} at {size[0]}x{size[1]}"] if options.brief else table(found)
                print(*lines, *(f"  ! {fault}" for fault in found.faults), summary(found), sep="\n", flush=True)
                bad = bad or bool(found.faults)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
