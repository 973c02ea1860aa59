# SPDX-License-Identifier: GPL-2.0-only
"""What tests of several folders share, and what spares them doing the same work again."""

import os
import re
import sys
import tempfile

import pytest

# jsonschema, which nbformat imports, would load it and build grammars of international addresses: 2 seconds for nothing
sys.modules.setdefault("rfc3987_syntax", None)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    """Where Python may not write bytecode beside the sources, keep it in a temporary folder, so that it is compiled once."""
    if sys.dont_write_bytecode and not sys.pycache_prefix:
        folder = tempfile.TemporaryDirectory(prefix="kvmmmu-lab-bytecode-")
        config.add_cleanup(folder.cleanup)
        sys.dont_write_bytecode, sys.pycache_prefix = False, folder.name
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = folder.name


NOTEBOOKS = ("tests/notebooks/", "tests/exercises/test_folders.py")
"""Tests that run notebooks in the kernel of `run_notebook`."""


def unit(nodeid):
    """What one process runs together: the tests of a file, of all notebooks, or of one exercise's solutions."""
    file = nodeid.partition("::")[0]
    if file.startswith(NOTEBOOKS):
        return "notebooks"
    exercise = re.search(r"\[(\d\d_[a-z0-9_]+)", nodeid) if file.endswith("test_solutions.py") else None
    return exercise[1] if exercise else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """With ``-n``, let one process run tests that share fixtures, expected observations or a kernel."""
    from xdist.scheduler import LoadScopeScheduling

    class Units(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return unit(nodeid)

    return Units(config, log) if config.getvalue("dist") == "load" else None


@pytest.fixture(scope="session")
def run_notebook():
    """A function that runs a notebook in a folder and returns it with its outputs.

    All run in one kernel, which takes a second to start; each finds an empty namespace.
    """
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    from jupyter_client.manager import start_new_kernel
    from nbformat.v4 import new_code_cell

    manager, client = start_new_kernel(kernel_name="python3")
    client.stop_channels()

    def run(book, folder):
        book.cells.insert(0, new_code_cell(f"%reset -f\n%cd -q {folder}"))
        runner = nbclient.NotebookClient(book, timeout=120, km=manager)
        try:
            runner.execute()
        finally:
            runner.kc.stop_channels()
        del book.cells[0]
        return book

    yield run
    manager.shutdown_kernel(now=True)
