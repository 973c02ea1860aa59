# SPDX-License-Identifier: GPL-2.0-only
"""Control a headless Chromium: print pages, take screenshots, and measure how soon a page appears."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import LabError
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


def print_pdf(markup: str, path: Path, folder: Path) -> None:
    """Print a page as a PDF. Its style sheet sets the paper size; ``folder`` is for a temporary file."""
    source = folder / f".{path.stem}.print.html"
    source.write_text(markup, "utf-8")
    try:
        with chromium() as browser:
            page = offline(browser)
            page.goto(source.resolve().as_uri())
            page.evaluate("Promise.all([...document.images].map((image) => image.decode().catch(() => null)))")
            page.pdf(path=str(path), prefer_css_page_size=True, print_background=True)
    finally:
        source.unlink(missing_ok=True)


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
