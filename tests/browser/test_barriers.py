# SPDX-License-Identifier: GPL-2.0-only
"""Whole lessons in JupyterLab, films and labs: what axe finds there, in Chromium and Firefox, in both themes."""

import shutil
import time
from pathlib import Path

import pytest

from .barriers import TALL, barriers
from .conftest import missing
from .firefox import NAMES, find_firefox, firefox
from .lab import RUN, Lab, apart
from .test_lessons import DONE, IDLE

pytestmark = pytest.mark.slow

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
LESSONS = sorted(path.name for path in NOTEBOOKS.glob("*.ipynb"))
OURS = ".jp-OutputArea-output"

CHOOSE = """() => document.querySelectorAll(".kvmmmu-radio-group").forEach((group) =>
    group.querySelectorAll("label")[1].dispatchEvent(new MouseEvent("click", { bubbles: true, detail: 1 })))"""
OPEN = """() => document.querySelectorAll(".kvmmmu-player").forEach((film) => {
    film.querySelector(".kp-last").click();
    film.querySelector(".kp-steps-button[aria-expanded=false]")?.click(); })"""
TO_TOP = """() => document.querySelectorAll(".jp-WindowedPanel-outer").forEach((pane) => { pane.scrollTop = 0; })"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """JupyterLab keeps the whole notebook in its page, so that all of it can be looked at."""
    return apart(tmp_path_factory.mktemp("home"), windowingMode="none")

T = time.time()
def say(*a): print(f"{time.time() - T:6.1f}", *a, flush=True)

def shown(page, theme):
    page.evaluate(f"{RUN}('apputils:change-theme', {{ theme: 'JupyterLab {theme}' }})")
    page.wait_for_function(f"document.body.dataset.jpThemeName === 'JupyterLab {theme}'")
    page.wait_for_timeout(500)
    page.evaluate(TO_TOP)


def test_all(browser, server, folder):
    for name in LESSONS: shutil.copy(NOTEBOOKS / name, folder / name)
    page = browser.new_page(viewport=TALL); page.set_default_timeout(60_000)
    lab = None
    say("server")
    with firefox(find_firefox()) as fox:
        fox.set_viewport_size(TALL)
        foxlab = None
        say("fox")
        for name in LESSONS:
            if lab: lab.open(name)
            else: lab = Lab(page, server, name)
            say(name, "open")
            lab.run_all()
            page.wait_for_function(DONE); page.wait_for_function(IDLE); page.wait_for_timeout(1000)
            say("ran")
            page.evaluate(TO_TOP)
            say("waiting", barriers(page, ".kvmmmu-waiting, .kvmmmu-radio-group") if page.evaluate("document.querySelectorAll('.kvmmmu-waiting').length") else 0)
            page.evaluate(CHOOSE)
            page.wait_for_timeout(1000)
            page.evaluate(OPEN)
            for theme in ("Light", "Dark"):
                shown(page, theme)
                found = barriers(page, OURS)
                say(theme, len(found))
                for one in found[:12]: print("       ", one)
                page.screenshot(path=f"/tmp/br/tall-{name}-{theme}.png", clip={"x": 0, "y": 0, "width": 1280, "height": 3000})
            page.evaluate(f"{RUN}('docmanager:save')"); page.wait_for_timeout(1000)
            if foxlab: foxlab.open(name)
            else: foxlab = Lab(fox, server, name)
            say("fox", "open")
            fox.wait_for_timeout(2000)
            fox.evaluate(OPEN)
            for theme in ("Light", "Dark"):
                shown(fox, theme)
                found = barriers(fox, OURS)
                say(theme, len(found))
                for one in found[:12]: print("       ", one)
            fox.evaluate("jupyterapp.shell.currentWidget.sessionContext.shutdown()")
