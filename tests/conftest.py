# SPDX-License-Identifier: GPL-2.0-only
"""Fixtures that tests of several folders share, and settings that avoid repeated work."""

import itertools
import os
import re
import signal
import sys
import tempfile

import pytest

# Hide this module from jsonschema, which nbformat imports: loading it takes 2 seconds, and nothing here needs it.
sys.modules.setdefault("rfc3987_syntax", None)


def pytest_configure(config):
    """If Python may not write bytecode beside the sources, write it to pytest's cache, so that it is compiled once.

    Else each process of each run spends seconds on it. A check as a whole has more time than usual, since other tests run at
    the same time.
    """
    os.environ.setdefault("KVMMMU_LAB_CHECK", "100")
    if sys.dont_write_bytecode and not sys.pycache_prefix:
        if hasattr(config, "cache"):
            folder = str(config.cache.mkdir("bytecode"))
        else:
            temporary = tempfile.TemporaryDirectory(prefix="kvmmmu-lab-bytecode-")
            config.add_cleanup(temporary.cleanup)
            folder = temporary.name
        sys.dont_write_bytecode, sys.pycache_prefix = False, folder
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = folder


NOTEBOOKS = ("tests/notebooks/", "tests/exercises/test_folders.py")
"""Tests that run notebooks in the kernel of `run_notebook`."""


def unit(nodeid):
    """Return a key for tests that one process runs together: those of a file, of all notebooks, or of an exercise."""
    file = nodeid.partition("::")[0]
    if file.startswith(NOTEBOOKS):
        return "notebooks"
    exercise = re.search(r"\[(\d\d_[a-z0-9_]+)", nodeid) if file.endswith("test_solutions.py") else None
    return exercise[1] if exercise else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """With ``-n``, run tests that share fixtures, expected observations or a kernel in the same process."""
    from xdist.scheduler import LoadScopeScheduling

    class Units(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return unit(nodeid)

    short = config.getvalue("dist") == "load" and config.getvalue("markexpr").startswith("not slow")
    return Units(config, log) if short else None


@pytest.fixture(scope="session")
def data_folders(tmp_path_factory):
    """Names of folders that do not exist yet, one after the other. `tmp_path` would make a folder for each of 4,000 tests."""
    base = tmp_path_factory.mktemp("data")
    return (base / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def data_folder(data_folders, monkeypatch):
    """The learner's progress, apart from that of whoever runs the tests."""
    folder = next(data_folders)
    monkeypatch.setenv("KVMMMU_LAB_DATA", str(folder))
    return folder


@pytest.fixture(scope="session")
def run_notebook():
    """A function that runs a notebook in a folder and returns it with its outputs.

    All notebooks run in one kernel, which takes a second to start. Each one begins with an empty namespace.
    """
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    from jupyter_client.manager import start_new_kernel
    from nbformat.v4 import new_code_cell

    manager, client = start_new_kernel(kernel_name="python3", env={**os.environ, "KVMMMU_LAB_UNATTENDED": "1"})
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


@pytest.fixture
def nothing_ignored():
    """Processes inherit which signals are ignored, for example those of a shell's job in the background, or under nohup."""
    ignored = [each for each in (signal.SIGINT, signal.SIGHUP) if signal.getsignal(each) == signal.SIG_IGN]
    for each in ignored:
        signal.signal(each, signal.SIG_DFL)
    yield
    for each in ignored:
        signal.signal(each, signal.SIG_IGN)
