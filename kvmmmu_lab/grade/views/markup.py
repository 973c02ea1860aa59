# SPDX-License-Identifier: GPL-2.0-only
"""The frame of a page, with its style: one file that needs no script and no network, light or dark as the reader's system."""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections.abc import Iterable
from importlib.resources import files

from ...draw.theme import stylesheet
from ...printable import escaped_html, one_line
from ...publish.template import asset

DARK = "@media screen and (prefers-color-scheme: dark)"
"""Dark as the reader's system; paper is light."""

DARK_PAGE = 'body[data-jp-theme-light="false"]'
OTHERS = re.compile(r"[^{}]*(?:data-jp-theme-light|\.diagram|mjx|\.kvmmmu-answer|\.math)[^{}]*\{[^{}]*\}")
"""Matches a rule for what is not on these pages."""

DARK_DRAWING = ".kvmmmu-dark .kvmmmu-drawing, .kvmmmu-drawing.kvmmmu-dark"
DARK_OWN = "body { --good: #7fd18c; } img.light { display: none !important; } img.dark { display: block !important; }"


def line(text: str) -> str:
    """Text from outside as HTML, in one line."""
    return escaped_html(one_line(text))


def count(value: int, one: str, many: str = "") -> str:
    """A number and a noun, such as "1 learner" or "2 learners"."""
    return f"{value:,} {one if value == 1 else many or one + 's'}"


def block(lines: Iterable[str], name: str) -> str:
    """Lines of text as they are. A reader who can't see them hears ``name``, and the arrow keys move what is too wide."""
    text = escaped_html("\n".join(lines) or "nothing")
    return f'<pre tabindex="0" role="group" aria-label="{line(name)}">{text}</pre>'


def file_link(name: str, words: str = "") -> str:
    """A link to a file of the report beside the class page."""
    return f'<a href="{name}">{words or name}</a>'


def beginning(title: str) -> str:
    """The beginning of a page, up to its header. ``title`` is text."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        # nothing that a submission says may run or be fetched, even if an escape were forgotten
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{script_digest()}'\">"
        f'<title>{line(title)}</title><link rel="icon" href="data:,"><style>{style()}</style></head>\n<body>\n'
    )


END = "</body></html>\n"


@functools.cache
def script() -> str:
    """The script of the class page, which sorts and searches its table."""
    return files(__package__).joinpath("class_page.js").read_text("utf-8")


@functools.cache
def script_digest() -> str:
    """The digest that lets this script run, and no other."""
    return base64.b64encode(hashlib.sha256(script().encode()).digest()).decode()


@functools.cache
def style() -> str:
    """The style sheet of all pages: the kit's own, with its dark colours where the reader's system is dark."""
    own = files(__package__).joinpath("views.css").read_text("utf-8")
    parts = [_as_the_system(asset("theme.css"), DARK_PAGE, "body"), own, f"{DARK} {{ {DARK_OWN} }}"]
    parts.append(_as_the_system(stylesheet(), DARK_DRAWING, ".kvmmmu-drawing"))
    text = OTHERS.sub("", re.sub(r"/\*.*?\*/", "", "\n".join(parts), flags=re.DOTALL))
    return re.sub(r"\n\s*", "\n", text)


def _as_the_system(css: str, dark: str, light: str) -> str:
    """A style sheet in which the block of dark colours depends on the reader's system instead of a class or an attribute."""
    begin = css.index(f"{dark} {{")
    end = css.index("}", begin) + 1
    return f"{css[:begin]}{DARK} {{ {light}{css[begin + len(dark) : end]} }}{css[end:]}"
