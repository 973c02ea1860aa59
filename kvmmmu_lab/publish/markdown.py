# SPDX-License-Identifier: GPL-2.0-only
"""Markdown as HTML: pictures are put into it, formulas become MathML, which browsers draw without any script."""

from __future__ import annotations

import functools
import html
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .local import embedded, left_out, local, picture

ATTACHED = "attachment:"


def prose_html(text: str, folder: Path, attachments: Any = None, link: Callable[[str], str | None] = lambda to: None) -> str:
    """A text in Markdown; pictures beside the notebook are put into it. ``link`` says where a link to a file leads from here,
    or None: then its words stay, without a link."""
    from nbconvert.filters.markdown_mistune import MarkdownWithMath

    made = MarkdownWithMath(renderer=_renderer()(folder, attachments or {})).render(text)
    return _linked(local(str(made), folder), link)


@functools.cache
def _renderer() -> Any:
    from nbconvert.filters.markdown_mistune import IPythonRenderer

    class Renderer(IPythonRenderer):
        """nbconvert's, for pages that need nothing."""

        def __init__(self, folder: Path, attachments: Mapping[str, Mapping[str, str]]) -> None:
            super().__init__(escape=False, exclude_anchor_links=True)
            self.folder, self.attached = folder, attachments

        def image(self, text: str, url: str, title: str | None = None) -> str:
            """A picture beside the notebook or attached to its cell; one that isn't there is named."""
            name = url.removeprefix(ATTACHED)
            if url.startswith(ATTACHED):
                found = next((f"data:{kind};base64,{data}" for kind, data in self.attached.get(name, {}).items()), None)
            else:
                found = embedded(url, self.folder)
            return left_out(picture(text), name) if found is None else str(super().image(text, found, title))

        def inline_math(self, body: str) -> str:
            return math_html(body, block=False)

        def block_math(self, body: str) -> str:
            return math_html(body, block=True)

        def latex_environment(self, name: str, body: str) -> str:
            return math_html(f"\\begin{{{name}}}{body}\\end{{{name}}}", block=True)

    return Renderer


def math_html(formula: str, *, block: bool) -> str:
    """A formula in LaTeX as MathML; one that isn't understood is shown as it was written."""
    from latex2mathml.converter import convert

    try:
        return str(convert(formula.strip(), display="block" if block else "inline"))
    except Exception:  # whatever that library makes of something that it doesn't know
        return f"<code>{html.escape(formula)}</code>"


def _linked(markup: str, link: Callable[[str], str | None]) -> str:
    def one(found: re.Match[str]) -> str:
        address = html.unescape(found[1])
        if re.match(r"(?:[a-z][a-z0-9+.-]*:|#)", address, re.IGNORECASE):
            return found[0]
        to = link(address)
        return found[2] if to is None else f'<a href="{html.escape(to, quote=True)}">{found[2]}</a>'

    return re.sub(r'<a href="([^"]*)"[^>]*>(.*?)</a>', one, markup, flags=re.DOTALL)
