# SPDX-License-Identifier: GPL-2.0-only
"""The real JupyterLab, or Notebook 7: a server of our own, and a notebook open in it."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager

OPTIONS = (
    "--no-browser",
    "--allow-root",
    "--IdentityProvider.token=",
    "--expose-app-in-browser",
    "--ServerApp.ip=127.0.0.1",
    "--ServerApp.port_retries=0",
)
APPLICATIONS = {  # application: (its module, where it shows a notebook, options of its own)
    "lab": (
        "jupyterlab",
        "lab/workspaces/{stem}/tree/{name}",
        ["--LabApp.news_url=", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"],
    ),
    "notebook": ("notebook", "notebooks/{name}", []),
}
RUN = "jupyterapp.commands.execute"


def wait_for(address, server):
    for _ in range(240):
        assert server.poll() is None, "the server ended"
        try:
            return urllib.request.urlopen(address, timeout=2).close()
        except OSError:
            time.sleep(0.25)
    raise AssertionError("the server did not start within a minute")


def apart(home, **notebooks):
    """An environment whose settings, signatures and servers are apart from those of whoever runs the tests.

    ``notebooks``: settings of JupyterLab's notebooks.
    """
    settings = {
        "apputils-extension/notification": {"fetchNews": "false"},  # no question in a corner
        "notebook-extension/tracker": notebooks,
    }
    for name, values in settings.items():
        file = home / "jupyter_config_dir/lab/user-settings/@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values), "utf-8")
    places = {name: str(home / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")}
    return {**os.environ, **places, "HOME": str(home), "PYDEVD_DISABLE_FILE_VALIDATION": "1"}


@contextmanager
def serve(folder, environment, application="lab", prefix=""):
    """A JupyterLab, or Notebook 7, on a folder; its address. ``prefix`` is the path below which it is."""
    module, _, options = APPLICATIONS[application]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = [f"--ServerApp.port={port}", f"--ServerApp.root_dir={folder}", f"--ServerApp.base_url={prefix}/"]
    command = [sys.executable, "-m", module, *OPTIONS, *options, *own]
    with open(folder.parent / "server.log", "wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        wait_for(f"http://127.0.0.1:{port}{prefix}/api", server)
        yield f"http://127.0.0.1:{port}{prefix}"
    finally:
        server.terminate()
        server.wait(30)


class Lab:
    """One notebook, open in JupyterLab or Notebook 7."""

    def __init__(self, page, server, name, kernel=True, application="lab"):
        self.page = page
        # JupyterLab: a workspace of its own; else it also opens what was open last, in whatever order
        where = APPLICATIONS[application][1].format(stem=name.rpartition("/")[2].partition(".")[0], name=name)
        page.goto(f"{server}/{where}")
        page.wait_for_function("window.jupyterapp?.shell")
        page.evaluate("jupyterapp.restored.then(() => null)")
        self.wait_for(name, kernel)
        if application == "lab":
            page.evaluate(f"jupyterapp.shell.leftCollapsed || {RUN}('application:toggle-left-area')")

    def open(self, name):
        """Open another notebook in place of this one, in the same JupyterLab."""
        self.page.evaluate("jupyterapp.shell.currentWidget.dispose()")  # close() would ask whether to save
        self.page.evaluate(f"{RUN}('docmanager:open', {{ path: '{name}' }}).then(() => null)")
        self.wait_for(name)

    def wait_for(self, name, kernel=True):
        """Wait until a notebook is shown and, unless it is to have no kernel, until its kernel is idle."""
        page = self.page
        there = "jupyterapp.shell.currentWidget?.content?.widgets?.length"
        page.wait_for_function(f"{there} && jupyterapp.shell.currentWidget.context.path === '{name}'")
        if kernel:
            session = "jupyterapp.shell.currentWidget.sessionContext.session"
            page.wait_for_function(f"{session}?.kernel?.status === 'idle'", timeout=180_000)
        else:
            page.locator(".jp-Dialog").get_by_role("button", name="No Kernel").click()

    def run_all(self):
        self.page.evaluate(f"{RUN}('notebook:run-all-cells')")

    def run(self, code):
        """Run a new cell at the end; return what it prints."""
        page = self.page
        page.evaluate(
            """async (code) => { const { content, context } = jupyterapp.shell.currentWidget;
                context.model.sharedModel.addCell({ cell_type: "code", source: code, metadata: {} });
                content.activeCellIndex = content.widgets.length - 1; content.deselectAll();
                await jupyterapp.commands.execute("notebook:run-cell"); }""",
            code,
        )
        outputs = """() => { const cell = jupyterapp.shell.currentWidget.content.widgets.at(-1).model;
            const texts = cell.outputs.toJSON().map((one) => [one.text ?? one.evalue].flat().join(""));
            return cell.executionCount && texts.join(""); }"""
        page.wait_for_function(outputs)
        return page.evaluate(outputs).strip()

    def sources(self):
        return self.page.evaluate(
            "jupyterapp.shell.currentWidget.content.model.cells.model?.cells.length"
            " ?? jupyterapp.shell.currentWidget.content.widgets.length"
        )

    def player(self, number):
        return self.page.locator(".kvmmmu-player").nth(number)
