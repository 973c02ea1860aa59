# SPDX-License-Identifier: GPL-2.0-only
"""A notebook of the live course, open in a browser."""

import time

PATIENCE = 300_000
"""Milliseconds for what takes seconds on a quiet machine: a Python starts, a lesson runs."""

KEPT = """async () => {
    const caches_ = await Promise.all((await caches.keys()).map((name) => caches.open(name)));
    const urls = (await Promise.all(caches_.map((cache) => cache.keys()))).flat().map(({ url }) => url);
    return ["/memory-", "/packages-"].every((one) => urls.some((url) => url.includes(one)));
}"""
"""Whether a Python is kept for the next visit."""

PROGRESS = "document.getElementById('kvmmmu-progress')"


class LiveLab:
    """``words`` are what the page said while it was loading. ``elsewhere`` are requests to any other server, all refused."""

    def __init__(self, context, site):
        self.context, self.site, self.elsewhere = context, site, []
        context.set_default_timeout(PATIENCE)
        context.route("**/*", self._route)
        self.page = context.new_page()

    def _route(self, route):
        url = route.request.url
        if url.startswith((f"{self.site}/", "data:", "blob:")):
            route.continue_()
        else:
            self.elsewhere.append(url)
            route.abort()

    def open(self, notebook):
        """Open a notebook; return once its kernel is ready."""
        self.page.goto(f"{self.site}/live/lab/index.html?path={notebook}")
        self.page.wait_for_function(f"{PROGRESS}")
        self.words = []
        end = time.monotonic() + PATIENCE / 1000
        while time.monotonic() < end:
            words = self.page.evaluate(f"{PROGRESS}.hidden ? '' : {PROGRESS}.textContent")
            if words and words not in self.words[-1:]:
                self.words.append(words)
            if not words and self.page.query_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]"):
                return self
            assert "again" not in words, words
            self.page.wait_for_timeout(100)
        raise AssertionError(f"no kernel after {PATIENCE / 1000:.0f} s; the page said {self.words}")

    def add(self, code):
        """Add a last cell with this code, and make it the active one."""
        self.page.evaluate(
            """(code) => {
                const { content } = jupyterapp.shell.currentWidget;
                content.model.sharedModel.addCell({ cell_type: "code", source: code });
                content.activeCellIndex = content.widgets.length - 1;
                content.deselectAll();
            }""",
            code,
        )

    def run(self, code):
        """Run code in a new last cell; return its outputs."""
        self.add(code)
        self.page.evaluate("jupyterapp.commands.execute('notebook:run-cell')")
        return self.outputs()[-1]

    def run_all(self):
        """Run all cells; return the outputs of each code cell."""
        self.page.evaluate("jupyterapp.commands.execute('notebook:run-all-cells')")
        return self.outputs()

    def outputs(self):
        """Return the outputs of each code cell, as in the notebook's file."""
        return self.page.evaluate(
            """() => [...jupyterapp.shell.currentWidget.content.model.cells]
                .filter((cell) => cell.type === "code").map((cell) => cell.outputs.toJSON())"""
        )

    def kept(self):
        """Wait until all that the next visit needs is kept in the browser."""
        self.page.wait_for_function("document.documentElement.dataset.kvmmmuKept === 'all'")

    def python_kept(self):
        """Wait until the Python of this visit is kept for the next one."""
        end = time.monotonic() + PATIENCE / 1000
        while not self.page.evaluate(KEPT):
            assert time.monotonic() < end, "no Python was kept"
            self.page.wait_for_timeout(200)

    def save(self):
        self.page.evaluate("jupyterapp.commands.execute('docmanager:save')")


def text_of(outputs):
    """Return what outputs say as text; an error says so."""
    parts = []
    for one in outputs:
        data = one.get("data", {}).get("text/plain", "")
        parts.append(one.get("text", "") or data or one.get("evalue", ""))
    return "".join("".join(part) if isinstance(part, list) else part for part in parts)
