# SPDX-License-Identifier: GPL-2.0-only
"""The course in a JupyterLab below a path, as JupyterHub has one for each user."""

from urllib.parse import urlsplit

import pytest

from kvmmmu_lab.workspace import START, prepare

from .lab import Lab, apart, serve

pytestmark = pytest.mark.slow

PREFIX = "/hub/user/x"
FOLDER = "kvmmmu-lab"
"""The working folder, in the user's home directory."""
MINUTES = 5 * 60_000


def follow(lab, words, path):
    """Click on a link in the notebook that is shown; another notebook opens in JupyterLab."""
    lab.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)").get_by_role("link", name=words).first.click()
    lab.wait_for(f"{FOLDER}/{path}")


def test_lessons_run_and_lead_to_each_other_below_a_path(browser, tmp_path):
    prepare(tmp_path / "home" / FOLDER)
    context = browser.new_context(viewport={"width": 1280, "height": 1400})
    context.set_default_timeout(MINUTES)
    page = context.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url))
    with serve(tmp_path / "home", apart(tmp_path / "home"), prefix=PREFIX) as server:
        assert server.endswith(PREFIX)
        lab = Lab(page, server, f"{FOLDER}/{START}")
        lab.run_all()
        page.wait_for_selector(".jp-OutputArea-output table")
        follow(lab, "Lesson 0", "notebooks/00_first_fault.ipynb")
        lab.run_all()
        page.wait_for_function("document.querySelectorAll('.jupyter-widgets .kvmmmu-player').length === 3")
        film = page.locator(".jupyter-widgets .kvmmmu-player:visible").first
        film.locator(".kp-picture").focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_function("document.querySelector('.jupyter-widgets .kp-count').textContent.startsWith('Step 1')")
        errors = "[...jupyterapp.shell.currentWidget.content.model.cells].flatMap((cell) => cell.outputs?.toJSON() ?? [])"
        assert "error" not in page.evaluate(f"{errors}.map((one) => one.output_type)")

        follow(lab, "→", "notebooks/01_two_maps.ipynb")
        follow(lab, "All lessons", START)
        follow(lab, "Exercise 04", "exercises/04_rmap_add/rmap_add.ipynb")
        host = urlsplit(server).netloc
    context.close()
    outside = [url for url in asked if urlsplit(url).netloc == host and not urlsplit(url).path.startswith(f"{PREFIX}/")]
    elsewhere = [url for url in asked if urlsplit(url).netloc != host and not url.startswith(("data:", "blob:"))]
    assert asked and not outside and not elsewhere
