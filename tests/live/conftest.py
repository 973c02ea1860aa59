# SPDX-License-Identifier: GPL-2.0-only
"""A Pyodide, live sites of a small course and of the whole one, and a browser in which they are opened.

What is missing is said by the tests that then don't run: the extra `live`, npm or the network for a download, a browser.
KVMMMU_LAB_PYODIDE and KVMMMU_LAB_GRAPHVIZ name a folder with Pyodide and the npm package, if they are there already.
"""

import importlib.util
import os
from pathlib import Path

import pytest

from kvmmmu_lab.errors import LabError
from kvmmmu_lab.live.build import build_live
from kvmmmu_lab.live.versions import FRONT_ENDS, LITE_MODULES, WHEELS
from kvmmmu_lab.live.wheels import fetch_graphviz, fetch_wheels
from kvmmmu_lab.workspace import course_root

from ..browser.conftest import browser  # noqa: F401
from .computer import Computer
from .live_lab import LiveLab
from .pyodide_folder import NoPyodide, find_pyodide
from .python_in_node import PythonInNode, find_node
from .small import small_course
from .static_server import serving


@pytest.fixture(scope="session")
def pyodide():
    """The folder of a Pyodide with NumPy."""
    try:
        return find_pyodide()
    except NoPyodide as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def graphviz_package():
    """The npm package with Graphviz."""
    given = os.environ.get("KVMMMU_LAB_GRAPHVIZ")
    try:
        return Path(given) if given else fetch_graphviz()
    except LabError as error:
        pytest.skip(f"needs Graphviz for the browser: {error}")


@pytest.fixture(scope="session")
def parts(graphviz_package):
    """All that a build needs but Pyodide."""
    for module, package in LITE_MODULES.items():
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"needs {package}, of the extra `live`")
    try:
        fetch_wheels([*WHEELS, *FRONT_ENDS])
    except LabError as error:
        pytest.skip(f"needs wheels: {error}")
    return {"graphviz": graphviz_package}


@pytest.fixture(scope="session")
def small_site(tmp_path_factory, pyodide, parts):
    """The folder of a site whose live course has three short notebooks."""
    out = tmp_path_factory.mktemp("small-site")
    course = small_course(tmp_path_factory.mktemp("small-course"))
    build_live(course, out / "live", pyodide=str(pyodide), pages="../index.html", **parts)
    return out


@pytest.fixture(scope="session")
def whole_site(tmp_path_factory, pyodide, parts):
    """The folder of a site with the whole course live."""
    out = tmp_path_factory.mktemp("whole-site")
    build_live(course_root(), out / "live", pyodide=str(pyodide), **parts)
    return out


@pytest.fixture
def server(small_site):
    """A static server of the small course."""
    with serving(small_site) as server:
        yield server


@pytest.fixture
def new_reader(browser):  # noqa: F811
    """A function that returns the live course of a server in a browser that has never been there, with no other network."""
    contexts = []

    def reader(server):
        contexts.append(browser.new_context(viewport={"width": 1280, "height": 900}))
        return LiveLab(contexts[-1], server.address)

    yield reader
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def python(tmp_path_factory, pyodide, graphviz_package, parts):
    """A Python of the browser without a browser."""
    node = find_node() or pytest.skip("needs node 18 or later, in which Pyodide runs without a browser")
    return PythonInNode(node, pyodide, graphviz_package, tmp_path_factory.mktemp("node"))


@pytest.fixture(scope="session")
def computer(tmp_path_factory, python):
    """A kernel on this computer that draws with the same Graphviz."""
    computer = Computer(python.lay_out, tmp_path_factory.mktemp("data"))
    yield computer
    computer.close()
