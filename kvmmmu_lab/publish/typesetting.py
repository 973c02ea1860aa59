# SPDX-License-Identifier: GPL-2.0-only
"""Typeset the formulas, diagrams and charts of a page, and compose the slides of a deck, in a browser at export.

The scripts typesetting.js and compose.js do the work. Without a browser they go into the page, with the libraries that it
needs, and run when the page is opened. A template marks what is typeset with `BEGIN` and `END`, and the place of the scripts
with `SCRIPTS`.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from ..browser import chromium, offline
from ..errors import LabError
from .formulas import BEGINNING
from .html import DIAGRAM
from .notices import Notices
from .outputs import CHART
from .template import asset, package_asset

BEGIN, END, SCRIPTS = "<!--typeset-->", "<!--/typeset-->", "<!--typesetting-->"

TIMEOUT = 120_000
"""The time that Chromium has to load a page, in milliseconds."""

SCRIPT = re.compile(r"<script\b.*?</script>", re.DOTALL)

RUN = """async () => {
  const comments = document.createNodeIterator(document, NodeFilter.SHOW_COMMENT, (one) => one.data === "typeset" ? 1 : 2);
  const begin = comments.nextNode();
  const root = begin.parentElement;
  const notices = [...await typeset(root), ...(typeof compose === "function" ? compose(root) : [])];
  begin.remove();
  return { markup: root.innerHTML, css: document.querySelector("#MJX-SVG-styles")?.textContent ?? "", notices };
}"""


class Typesetter:
    """Typesets pages in one browser, which starts with the first page that needs it. Use it as a context manager.

    ``use_browser``: whether to use a browser if there is one. ``postponed`` is why pages are typeset when they are opened;
    it is empty if there is no such page.
    """

    def __init__(self, use_browser: bool = True) -> None:
        self.postponed = ""
        self._missing = "" if use_browser else "no browser is used"
        self._browser: Any = None
        self._stack = ExitStack()
        self._thread = ThreadPoolExecutor(1)  # playwright refuses to run in a thread with an event loop, such as a notebook's

    def __enter__(self) -> Typesetter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._thread.submit(self._stack.close).result()
        self._thread.shutdown()

    def deck(self, markup: str, notices: Notices) -> str:
        """Return a deck with its formulas typeset and its slides composed. ``notices`` takes what looks questionable."""
        compose = asset("compose.js")
        return self._typeset(markup, notices, [asset("typesetting.js"), *libraries(markup, notices), compose], keep=[compose])

    def page(self, markup: str, notices: Notices) -> str:
        """Return a page with its formulas typeset."""
        needed = libraries(markup, notices)
        return self._typeset(markup, notices, [asset("typesetting.js"), *needed]) if needed else _finished(markup)

    def _typeset(self, markup: str, notices: Notices, scripts: list[str], keep: Sequence[str] = ()) -> str:
        """Run ``scripts`` on a page in the browser, or put them into it; ``keep`` lists those that the page needs anyway."""
        if not self._missing:
            try:
                return self._thread.submit(self._in_browser, markup, notices, scripts, keep).result()
            except LabError as error:
                self._missing = str(error)
        self.postponed = self._missing
        return _finished(markup, scripts)

    def _in_browser(self, markup: str, notices: Notices, scripts: list[str], keep: Sequence[str]) -> str:
        before, begin, rest = markup.partition(BEGIN)
        inside, _, after = rest.partition(END)
        from playwright.sync_api import Error

        page = offline(self._start(), viewport={"width": 1280, "height": 720})
        page.set_default_timeout(TIMEOUT)
        try:
            page.set_content(f"{SCRIPT.sub('', before)}{begin}{inside}{SCRIPT.sub('', after)}")
            for script in scripts:
                page.add_script_tag(content=script)
            found = page.evaluate(RUN)
        except Error as error:
            raise LabError(f"Chromium can't typeset the page ({str(error).splitlines()[0]})") from None
        finally:
            page.context.close()
        for notice in found["notices"]:
            notices.add(notice["cell"], notice["words"])
        style = f"<style>{found['css']}</style>\n</head>" if found["css"] else "</head>"
        return _finished(f"{before.replace('</head>', style, 1)}{found['markup']}{after}", keep)

    def _start(self) -> Any:
        if self._browser is None:
            self._browser = self._stack.enter_context(chromium())
        return self._browser


def _finished(markup: str, scripts: Sequence[str] = ()) -> str:
    """Return a page with its scripts and without marks."""
    tags = "\n".join(f"<script>{script}</script>" for script in scripts)
    return markup.replace(BEGIN, "").replace(END, "").replace(SCRIPTS, tags)


# Libraries


@dataclass(frozen=True)
class Library:
    """A library that typesets what begins with ``mark`` in a page. Its script is a file of a package.

    ``missing`` is a notice about what isn't typeset without the package; a library without one is required.
    """

    mark: str
    module: str
    path: str
    missing: str = ""

    @property
    def is_usable(self) -> bool:
        """Whether the library is installed, or has to be."""
        return not self.missing or importlib.util.find_spec(self.module) is not None

    @property
    def script(self) -> str:
        """The library as a script."""
        return package_asset(self.module, self.path)


LIBRARIES = (
    Library(BEGINNING, "sphinx-mathjax-offline", "static/mathjax/tex-svg-full.js"),
    Library(
        DIAGRAM,
        "mermaidx",  # contains Mermaid as it is published; nothing of the package's own code is used
        "assets/mermaid.js",
        "a Mermaid diagram is shown as its source: `pip install mermaidx` lets the export draw it",
    ),
    Library(
        CHART,
        "plotly",
        "package_data/plotly.min.js",
        "an interactive chart (Plotly) is left out: `pip install plotly` lets the export draw it",
    ),
)


def libraries(markup: str, notices: Notices) -> list[str]:
    """Return the scripts that typeset a page. Add a notice for what can't be typeset because a library is missing."""
    needed = [library for library in LIBRARIES if library.mark in markup]
    for library in needed:
        if not library.is_usable:
            for found in re.finditer(re.escape(library.mark), markup):
                cell = re.search(r'.*data-cell="(\d+)"', markup[: found.start()], re.DOTALL)
                notices.add(int(cell[1]) if cell else 0, library.missing)
    return [library.script for library in needed if library.is_usable]
