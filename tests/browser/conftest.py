# SPDX-License-Identifier: GPL-2.0-only
"""A real browser. Where there is none these tests are skipped, unless KVMMMU_LAB_BROWSER=required says that they may not."""

import os

import pytest

from kvmmmu_lab.browser import ARGUMENTS, NAMES, find_chromium

from . import lab
from .firefox import NAMES as FIREFOXES
from .firefox import find_firefox


def missing(what):
    if os.environ.get("KVMMMU_LAB_BROWSER") == "required":
        pytest.fail(f"KVMMMU_LAB_BROWSER=required, but there is no {what}")
    pytest.skip(f"needs {what}")


def firefox_program():
    """Where the installed Firefox is."""
    return find_firefox() or missing(f"Firefox: one of {', '.join(FIREFOXES)}")


_browsers = []
"""The one that runs. `tests/live` imports the fixture, which makes it another one; there can be only one Playwright."""


@pytest.fixture(scope="session")
def browser():
    """One browser for all tests of this process."""
    if _browsers:
        yield _browsers[0]
        return
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright: pip install playwright")
    program = find_chromium()
    if not program:
        missing(f"browser: one of {', '.join(NAMES)}, or its path in the variable CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        _browsers.append(browser)
        yield browser
        _browsers.remove(browser)
        browser.close()


class Watchdog:
    """Notes what a page must not do: ask a network, complain on its console, throw."""

    def __init__(self, page, allowed=("file:", "data:", "blob:")):
        self.requests, self.complaints, self.allowed = [], [], allowed
        page.context.route("**/*", self._route)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _route(self, route):
        if route.request.url.startswith(tuple(self.allowed)):
            route.continue_()
        else:
            self.requests.append(route.request.url)
            route.abort()

    def _console(self, message):
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)


SMALL_LAPTOP = {"width": 1024, "height": 800}


@pytest.fixture(scope="session")
def tab(browser):
    """The tab in which the tests open their pages, one after the other: a new one takes as long as five pages."""
    context = browser.new_context(viewport=SMALL_LAPTOP)
    context.set_default_timeout(10_000)
    page = context.new_page()
    yield page, Watchdog(page)
    context.close()


@pytest.fixture
def page(tab):
    """An empty page, as wide as a small laptop; it fails the test if it asks a network for anything, or complains."""
    page, watchdog = tab
    page.set_viewport_size(SMALL_LAPTOP)
    page.emulate_media(media="null", color_scheme="light")
    page.mouse.move(0, 0)
    watchdog.requests, watchdog.complaints = [], []
    yield page
    page.goto("about:blank")  # what the page still does or says is this test's
    assert not watchdog.requests
    assert not watchdog.complaints


def open_list(page, number=0):
    """Open the list of steps, which is closed where it would leave the picture too little room."""
    button = page.locator(".kp-steps-button").nth(number)
    if button.get_attribute("aria-expanded") == "false":
        button.click()


@pytest.fixture
def play(page, tmp_path):
    """Open films in a page, each in a player of its own; their handles are in ``handles`` there, events in ``heard``."""
    from kvmmmu_lab.player.page import as_script, script, style

    def play(*films, options=None, body=""):
        start = f"""
        window.heard = [];
        window.mount = mount;
        window.handles = {as_script(films)}.map((film, place) => mount(document.querySelectorAll(".place")[place], film, {{
            ...{as_script(options or {})},
            onstep: (number) => heard.push(["step", number]), onpick: (picked) => heard.push(["pick", picked]) }}));"""
        places = '<div class="place"><p>before</p></div>' * len(films)
        file = tmp_path / "page.html"
        file.write_text(
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>test</title><link rel="icon" href="data:,">'
            f'<style>body {{ margin: 8px }}{style()}</style><body {body}>{places}<div id="end">end</div>'
            f'<script type="module">{script()}{start}</script></html>',
            "utf-8",
        )
        page.goto(file.as_uri())
        page.wait_for_function("window.handles")
        return page

    return play


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the notebooks are."""
    return tmp_path_factory.mktemp("notebooks")


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    return lab.apart(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def server(folder, environment):
    """A JupyterLab on the folder."""
    pytest.importorskip("jupyterlab", reason="needs the extra `lab`")
    with lab.serve(folder, environment) as address:
        yield address


@pytest.fixture
def lab_page(browser):
    """A page that may ask this machine's server, and nobody else; high enough for a whole film."""
    context = browser.new_context(viewport={"width": 1024, "height": 2600}, color_scheme="light")
    context.set_default_timeout(60_000)
    page = context.new_page()
    watchdog = Watchdog(page, allowed=("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:"))
    yield page
    context.close()
    assert not watchdog.requests
    assert not [line for line in watchdog.complaints if "kvmmmu" in line or "mount" in line or "player" in line]
