# SPDX-License-Identifier: GPL-2.0-only
"""A film as a GIF, for places that can't show a page, such as an email or a forum. Each step is an image with a caption."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..browser import pictures
from ..draw.svg import data_url
from ..errors import InputError, LabError
from ..printable import escaped_html
from ..workspace import install_hint
from .page import still_svg

WIDTH = 960
"""Width of an image, in pixels."""

MOST = 60
"""Maximum number of steps: a viewer can neither pause nor rewind a GIF."""

LEAST, LETTER, LAST = 1300, 38, 3000
"""Milliseconds that a step is shown: the minimum, the time per letter of its words (both as ``PACE`` in player.js), and the
extra time of the last step, before the film starts over."""

TALLEST, CAPTION, LARGER = 620, 112, 1.4
"""Maximum height of a picture and height of its caption, in pixels. Small pictures are enlarged up to ``LARGER`` times."""

CSS = """
body { margin: 0; background: #fff; color: #1f2933; font: 18px/1.35 system-ui, Helvetica, "Liberation Sans", sans-serif; }
figure { box-sizing: border-box; margin: 0; padding: 14px 20px 0; display: flex; flex-direction: column; }
figcaption { flex: none; height: 98px; overflow: hidden; }
small { display: block; color: #5a6674; font-size: 13px; }
img { flex: 1; min-height: 0; object-fit: contain; }
i { flex: none; height: 4px; margin: 8px -20px 0; background: #0a64a4; }
"""


def gif(film: Mapping[str, Any]) -> bytes:
    """Return a film (`Film.data`) as a GIF.

    Raises InputError for a film with too many steps, LabError without Pillow, playwright or a browser.
    """
    try:
        from PIL import Image
    except ImportError:
        raise LabError(f"pillow is missing: install it with {install_hint('slides')}") from None
    steps = [step for chapter in film["chapters"] for step in chapter["steps"]]
    if len(steps) > MOST:
        raise InputError("path", ".gif", f".html: this film has {len(steps)} steps, and a GIF can have at most {MOST}")
    shots = pictures(_page(film, steps), "figure", width=WIDTH)
    pixels = np.stack([np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")) for shot in shots])
    numbers, palette = _indexed(pixels)
    frames = [Image.fromarray(one) for one in numbers]
    for frame in frames:
        frame.putpalette(palette.tobytes())
    stays = [max(LEAST, LETTER * len(step["words"])) for step in steps]
    made = io.BytesIO()
    stays[-1] += LAST
    frames[0].save(made, "GIF", save_all=True, append_images=frames[1:], duration=stays, loop=0, optimize=True)
    return made.getvalue()


def _indexed(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return pixels of shape (..., 3) as colour indexes, and the palette, of shape (256, 3).

    The palette has the most frequent colours, unchanged; a drawing has few others. (Pillow's own palette makes white grey.)
    """
    packed = pixels.astype(np.int32) @ (1 << 16, 1 << 8, 1)
    found, where, count = np.unique(packed, return_inverse=True, return_counts=True)
    colours = np.stack([found >> 16, found >> 8 & 255, found & 255], axis=1)
    kept = colours[np.argsort(-count, kind="stable")[:256]]
    nearest = np.array([((kept - colour) ** 2).sum(axis=1).argmin() for colour in colours], np.uint8)
    return nearest[where.reshape(packed.shape)], np.resize(kept, (256, 3)).astype(np.uint8)


def _page(film: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> str:
    """Return a page with all images, one below the other."""
    height = CAPTION + min(TALLEST, max(_height(chapter["svg"]) for chapter in film["chapters"]))
    figures = []
    for number, step in enumerate(steps):
        done = 100 * number / max(1, len(steps) - 1)
        figures.append(
            f'<figure style="height:{height:.0f}px"><figcaption><small>{number} of {len(steps) - 1}</small>'
            f"{escaped_html(step['words'])}<small>{escaped_html(step['place'])}</small></figcaption>"
            f'<img alt="" src="{data_url(still_svg(film, number))}"><i style="width:calc({done:.1f}% + 40px)"></i></figure>'
        )
    return f"<!doctype html><style>{CSS}</style>{''.join(figures)}"


def _height(svg: str) -> float:
    """Return the height of a drawing in an image, in pixels."""
    found = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    assert found is not None
    width, height = float(found[1]), float(found[2])
    return height * min(LARGER, (WIDTH - 40) / width)
