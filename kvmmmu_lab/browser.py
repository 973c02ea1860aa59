# SPDX-License-Identifier: GPL-2.0-only
"""Control a headless Chromium: print pages, take screenshots, and measure how soon a page appears."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import InputError, LabError
from .workspace import install_hint

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


def find_chromium() -> str | None:
    """Return the path of a browser: CHROMIUM if it is set, or an installed one. None makes playwright use its own browser."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def chromium() -> Iterator[Any]:
    """Start a browser, and close it on exit. Raises LabError if no browser is found or playwright is missing."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        raise LabError(f"playwright is missing: install it with {install_hint('slides')}") from None
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(ARGUMENTS))
        except Error as error:
            reason = str(error).splitlines()[0]
            raise LabError(
                f"no browser can be started ({reason}): install Chromium, or set the environment variable CHROMIUM to its "
                "path, or run `playwright install chromium`"
            ) from None
        try:
            yield browser
        finally:
            browser.close()


def offline(browser: Any, **options: Any) -> Any:
    """Return a new page without network access."""
    context = browser.new_context(offline=True, **options)
    return context.new_page()


def print_pdfs(pages: Iterable[Path]) -> Iterator[Path]:
    """Print pages, which are files, as PDFs with tags and an outline. Yield the path of each PDF, beside its page.

    A page sets the size of the paper. It is ready when its body has the class "ready". Raises InputError for a PDF that can't
    be written.
    """
    with chromium() as browser:
        for page in pages:
            tab = offline(browser)
            tab.goto(page.resolve().as_uri())
            tab.wait_for_selector("body.ready")
            tab.evaluate("Promise.all([...document.images].map((image) => image.decode().catch(() => null)))")
            content = tab.pdf(prefer_css_page_size=True, print_background=True, tagged=True, outline=True)
            tab.context.close()
            path = page.with_suffix(".pdf")
            try:
                path.write_bytes(content)
            except OSError as error:
                raise InputError("out", str(path), f"a file that can be written ({error.strerror})") from None
            yield path


def pictures(markup: str, selector: str, *, width: int) -> list[bytes]:
    """Return a PNG of each element that matches a CSS selector. The browser window is ``width`` pixels wide.

    The browser runs in another thread, since playwright refuses to run in a thread with an event loop, such as a notebook's.
    """

    def take() -> list[bytes]:
        with chromium() as browser:
            page = offline(browser, viewport={"width": width, "height": 800})
            page.set_content(markup)
            page.evaluate("Promise.all([...document.images].map((image) => image.decode()))")
            return [element.screenshot() for element in page.query_selector_all(selector)]

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(take).result()


def first_paints(pages: list[Path]) -> dict[str, float]:
    """Open each file in a browser and measure the time until its first paint. Return {file name: milliseconds}."""
    found = {}
    with chromium() as browser:
        for path in pages:
            page = offline(browser)
            page.goto(path.resolve().as_uri())
            page.wait_for_function("performance.getEntriesByName('first-contentful-paint').length > 0")
            found[path.name] = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
            page.context.close()
    return found
