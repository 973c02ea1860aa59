# SPDX-License-Identifier: GPL-2.0-only
"""The doctor names each thing that is missing, what doesn't work without it, and how to get it."""

import json
import os
import sys
import types
from dataclasses import replace

import pytest

from kvmmmu_lab import doctor, workspace
from kvmmmu_lab.draw import render

DEFAULT_FOLDER = workspace.default_folder


@pytest.fixture(autouse=True)
def healthy(tmp_path, monkeypatch):
    """A machine that has everything. Each test takes one thing away."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks/00_first_fault.ipynb").write_text("{}")
    monkeypatch.setattr(workspace, "course_root", lambda: tmp_path)
    monkeypatch.setattr(workspace, "default_folder", lambda: tmp_path / "not/yet/there")
    monkeypatch.delenv(render.VARIABLE, raising=False)


def check(name):
    (found,) = [check for check in doctor.checks() if check.name == name]
    return found


def test_a_machine_with_the_extra_lab_is_ready_for_lessons(capsys):
    assert doctor.run() == 0
    assert "This machine is ready for the lessons." in capsys.readouterr().out


def test_the_json_contains_the_same_checks(capsys):
    assert doctor.run(as_json=True) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is True
    names = [found["name"] for found in report["checks"]]
    assert names == [found.name for found in doctor.checks()]
    assert {"python", "numpy", "jupyterlab", "ipywidgets", "anywidget", "graphviz", "dot", "fork", "course"} <= {*names}
    assert "matplotlib" in names
    assert all(found["cost"] and found["remedy"] and found["found"] for found in report["checks"])


@pytest.mark.parametrize("name", ["jupyterlab", "ipywidgets"])
def test_a_missing_package_that_is_needed_names_the_extra(name, monkeypatch, capsys):
    missing(monkeypatch, name)
    assert doctor.run() == 1
    said = capsys.readouterr().out
    assert "NEEDED" in said
    assert "[lab]" in said


@pytest.mark.parametrize("name", ["anywidget", "graphviz", "matplotlib"])
def test_a_missing_optional_package_is_named_with_status_0(name, monkeypatch, capsys):
    missing(monkeypatch, name)
    assert doctor.run() == 0
    assert check(name).cost in capsys.readouterr().out


def missing(monkeypatch, name):
    """Make a package appear not to be installed."""
    load = doctor.importlib.import_module

    def without(wanted, *package):
        if wanted == name:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return load(wanted, *package)

    monkeypatch.setattr(doctor.importlib, "import_module", without)


def test_a_package_that_raises_when_imported_is_broken_not_missing(monkeypatch, tmp_path):
    (tmp_path / "anywidget.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "anywidget", raising=False)
    found = check("anywidget")
    assert not found.ok
    assert found.found == "broken: ZeroDivisionError: division by zero"


def test_without_renderers_the_lessons_still_work_and_show_text(monkeypatch):
    monkeypatch.setenv(render.VARIABLE, "none")
    found = check("dot")
    assert not found.ok
    assert not found.needed
    assert "text" in found.cost
    assert f"{render.VARIABLE}=none is set" in found.found


@pytest.mark.skipif(os.name != "posix", reason="the stand-in for dot is a shell script")
def test_a_dot_that_does_not_draw_is_broken(tmp_path, monkeypatch):
    program = tmp_path / "dot"
    program.write_text("#!/bin/sh\necho 'Format: \"svg\" not recognized' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(doctor, "renderers", lambda: [render.Renderer("dot", str(program))])
    found = check("dot")
    assert not found.ok
    assert '"svg" not recognized' in found.found


def test_a_system_without_fork_is_noticed(monkeypatch):
    assert check("fork").ok is hasattr(os, "fork")
    monkeypatch.setattr(doctor, "HERE", replace(doctor.HERE, can_fork=False))
    assert not check("fork").ok


def test_a_working_folder_that_cannot_be_written_is_noticed(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(workspace, "default_folder", lambda: tmp_path / "file" / "below")
    found = check("working folder")
    assert not found.ok
    assert "--folder" in found.remedy


def test_a_user_without_a_home_directory_gets_an_explanation(monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(workspace.Path, "home", homeless)
    monkeypatch.setattr(workspace, "default_folder", DEFAULT_FOLDER)
    found = check("working folder")
    assert not found.ok
    assert "no home directory" in found.found


def test_a_full_disk_is_noticed(monkeypatch):
    assert check("working folder").ok
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda place: types.SimpleNamespace(free=1000))
    assert not check("working folder").ok


def test_a_missing_course_is_named(tmp_path, monkeypatch):
    (tmp_path / "notebooks/00_first_fault.ipynb").unlink()
    assert not check("course").ok
    assert doctor.run() == 1


@pytest.mark.parametrize(("installed", "remedy"), [(None, "apt install bubblewrap"), ("/usr/bin/bwrap", "AppArmor profile")])
def test_without_a_wall_it_says_what_is_not_enforced_and_how_to_get_it(monkeypatch, installed, remedy):
    monkeypatch.setattr(doctor, "_no_wall", lambda: "bubblewrap is asleep")
    monkeypatch.setattr("shutil.which", lambda name: installed)
    found = doctor._limits()
    assert not found.ok and not found.needed
    assert "what your code may read, change and start" in found.found and "bubblewrap is asleep" in found.found
    assert remedy in found.remedy
