# SPDX-License-Identifier: GPL-2.0-only
"""The same notebooks in a kernel on this computer, with the drawings of the same Graphviz as in a browser tab."""

import os

NEW_NOTEBOOK = """
%reset -f
def prepare():
    import json, os, subprocess, tempfile
    from kvmmmu_lab.draw import render
    from kvmmmu_lab.progress import Progress

    class Same(render.Renderer):
        def run(self, dot_source):
            print(json.dumps(dot_source), file=process.stdin, flush=True)
            return json.loads(process.stdout.readline()).encode()

    Progress().reset()  # a check in another notebook has kept points
    os.chdir(tempfile.mkdtemp())
    process = subprocess.Popen({command}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    render.renderers = lambda: [Same("the same", "")]

prepare()
del prepare
"""
PATIENCE = 600
"""Seconds for a cell."""


class Computer:
    """``lay_out``: the command that lays drawings out."""

    def __init__(self, lay_out, data):
        from jupyter_client.manager import start_new_kernel

        self.manager, client = start_new_kernel(kernel_name="python3", env={**os.environ, "KVMMMU_LAB_DATA": str(data)})
        client.stop_channels()
        self.first = NEW_NOTEBOOK.format(command=lay_out)

    def run(self, cells):
        """Run cells in an empty namespace; return the outputs of each."""
        import nbclient
        from nbformat.v4 import new_code_cell, new_notebook

        book = new_notebook(cells=[new_code_cell(code) for code in [self.first, *cells]])
        runner = nbclient.NotebookClient(book, timeout=PATIENCE, km=self.manager, allow_errors=True)
        try:
            runner.execute()
        finally:
            runner.kc.stop_channels()
        first, *rest = (cell.outputs for cell in book.cells)
        assert not [one for one in first if one.output_type == "error"], first
        return rest

    def close(self):
        self.manager.shutdown_kernel(now=True)
