# SPDX-License-Identifier: GPL-2.0-only
"""The description of the platform, and what the kit does in a browser tab: here, tests stand in for the tab's JavaScript.

`tests/live` runs the kit on Pyodide itself.
"""

import re
import sys
import types
from pathlib import Path

import pytest

from kvmmmu_lab import doctor, host_platform, progress, user_folders, workspace
from kvmmmu_lab.check.sandbox import client
from kvmmmu_lab.check.sandbox.forkserver import WorkerError
from kvmmmu_lab.draw import render as module
from kvmmmu_lab.draw.render import VARIABLE, NoRenderer, RenderError, render, renderers
from kvmmmu_lab.host_platform import HERE, described

ROOT = Path(__file__).resolve().parent.parent
TAB = described("emscripten")
DECIDES = re.compile(r"emscripten|pyodide_js|hasattr\(os, .fork.\)")


class JsException(Exception):
    """What Pyodide raises for an exception of JavaScript."""


@pytest.fixture
def tab(monkeypatch, tmp_path):
    """The kit in a browser tab that has loaded Graphviz. Returns JavaScript's global object; its ``layout`` may be replaced."""
    for part in (client, doctor, module, progress, user_folders, workspace):
        monkeypatch.setattr(part, "HERE", TAB)
    monkeypatch.setattr(host_platform, "DRIVE", tmp_path / "drive")
    monkeypatch.setattr(module, "NAMES", TAB.renderers)
    monkeypatch.setattr(doctor, "NAMES", TAB.renderers)
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.delenv("KVMMMU_LAB_DATA", raising=False)
    js = types.ModuleType("js")
    js.kvmmmu_graphviz = types.SimpleNamespace(layout=lambda dot, form: f"<?xml?>\n<{form}>{len(dot)}</{form}>")
    monkeypatch.setitem(sys.modules, "js", js)
    monkeypatch.setitem(sys.modules, "pyodide", types.ModuleType("pyodide"))
    monkeypatch.setitem(sys.modules, "pyodide.ffi", types.SimpleNamespace(JsException=JsException))
    return js


def test_only_the_description_decides_what_the_platform_is():
    found = [path.name for path in (ROOT / "kvmmmu_lab").rglob("*.py") if DECIDES.search(path.read_text("utf-8"))]
    assert found == ["host_platform.py"]


def test_a_computer_can_start_programs_and_keeps_everything():
    assert HERE.can_start_programs and HERE.can_start_threads and HERE.can_lock_files and HERE.kept is None
    assert HERE.renderers == ("dot", "graphviz-pure")
    assert str(HERE).startswith("a computer with programs")


def test_a_tab_can_do_nothing_of_the_kind_and_keeps_its_drive(monkeypatch, tmp_path):
    assert not TAB.can_start_programs and not TAB.can_fork and not TAB.can_start_threads and not TAB.can_lock_files
    monkeypatch.setattr(host_platform, "DRIVE", tmp_path / "drive")
    assert TAB.kept is None and "keeps no files" in str(TAB)
    (tmp_path / "drive").mkdir()
    assert TAB.kept == tmp_path / "drive" and f"keeps files in {TAB.kept}" in str(TAB)


def test_in_a_tab_what_must_be_kept_is_on_the_drive(tab, tmp_path):
    (tmp_path / "drive").mkdir()
    assert user_folders.data_folder() == user_folders.config_folder() == tmp_path / "drive/.kvmmmu-lab"
    assert workspace.default_folder() == tmp_path / "drive"
    assert tmp_path not in user_folders.cache_folder().parents


def test_in_a_tab_a_chosen_folder_for_data_counts_first(tab, tmp_path, monkeypatch):
    (tmp_path / "drive").mkdir()
    monkeypatch.setenv("KVMMMU_LAB_DATA", str(tmp_path / "mine"))
    assert user_folders.data_folder() == tmp_path / "mine"


def test_in_a_tab_progress_needs_no_lock(tab, tmp_path, monkeypatch, capsys):
    (tmp_path / "drive").mkdir()
    monkeypatch.setitem(sys.modules, "filelock", None)  # to import it raises ImportError
    progress.Progress().points("rmap_add", 3)
    progress.Progress().points("rmap_add", 2)
    assert progress.Progress().get("rmap_add", "best") == 3 and capsys.readouterr().err == ""
    assert [path.name for path in (tmp_path / "drive/.kvmmmu-lab").iterdir()] == ["progress.json"]


def test_in_a_tab_a_check_says_that_it_needs_a_process(tab):
    with pytest.raises(WorkerError, match=r"a browser tab .*checks need a process: check the exercise on a computer"):
        client.Worker._start(None, {})


def test_web_assembly_draws_in_a_tab(tab):
    assert [renderer.name for renderer in renderers()] == ["wasm-graphviz"]
    with pytest.raises(RenderError, match=r"well-formed"):  # an XML declaration needs a version
        render("digraph {}")
    tab.kvmmmu_graphviz.layout = lambda dot, form: f'<?xml version="1.0"?>\n<{form}>{len(dot)}</{form}>'
    assert render("digraph {}") == "<svg>10</svg>"


def test_what_goes_wrong_in_javascript_is_an_error_of_the_drawing(tab):
    def fails(dot, form):
        raise JsException("Error: syntax error in line 1\nnear '}'")

    tab.kvmmmu_graphviz.layout = fails
    said = r"wasm-graphviz can't draw this: Error: syntax error in line 1 near '}'; the DOT source begins 'digraph }'"
    with pytest.raises(RenderError, match=said) as found:
        render("digraph }")
    assert not isinstance(found.value, NoRenderer)
    tab.kvmmmu_graphviz.layout = lambda dot, form: dot.encode()
    with pytest.raises(RenderError, match="can't take the character"):
        render("\ud800")


def test_a_page_without_graphviz_says_so(tab):
    del tab.kvmmmu_graphviz
    assert renderers() == []
    with pytest.raises(NoRenderer, match=r"has not loaded Graphviz .*: reload it"):
        render("digraph {}")


def test_the_renderer_of_a_tab_can_be_excluded(tab, monkeypatch):
    monkeypatch.setenv(VARIABLE, "none")
    assert renderers() == []
    with pytest.raises(NoRenderer, match="KVMMMU_LAB_RENDERER=none"):
        render("digraph {}")


def test_the_doctor_tells_what_a_tab_can_do(tab, tmp_path, capsys):
    tab.kvmmmu_graphviz.layout = lambda dot, form: f"<{form}/>"
    doctor.run()
    said = " ".join(capsys.readouterr().out.split())
    assert "optional platform a browser tab without programs, fork, threads; it keeps no files" in said
    assert "ok wasm-graphviz JavaScript's kvmmmu_graphviz" in said
    assert not re.search(r"jupyterlab|pytest|graphviz-pure|pip install", said)
    (tmp_path / "drive").mkdir()
    assert next(check for check in doctor.checks() if check.name == "platform").ok


def test_the_doctor_tells_what_a_computer_can_do():
    (found,) = [check for check in doctor.checks() if check.name == "platform"]
    assert found.ok and found.found == str(HERE)
