# SPDX-License-Identifier: GPL-2.0-only
"""The commands ``slides`` and ``site``, without a browser."""

import importlib.util

import pytest

from kvmmmu_lab import cli
from kvmmmu_lab.publish import template

from .books import code, saved, text


def slides(capsys, *arguments):
    status = cli.main(["slides", *map(str, arguments)])
    out, error = capsys.readouterr()
    return status, out, error


def test_a_deck_is_one_file_and_the_command_prints_its_path(tmp_path, capsys):
    path = saved(tmp_path, text("# A talk\n\nHello.", "slide"), code("1 + 1"))
    status, out, _ = slides(capsys, path, "--out", tmp_path / "new" / "folder", "--no-execute")
    deck = (tmp_path / "new" / "folder" / "talk.html").read_text("utf-8")
    assert status == 0 and "talk.html" in out and "<title>A talk</title>" in deck
    assert "src=" not in deck.partition("<main")[0], "nothing is fetched"


def test_decks_of_one_command_link_to_each_other(tmp_path, capsys):
    one = saved(tmp_path, text("# One\n\n[Two](two.ipynb) and [three](three.ipynb)"), name="one.ipynb")
    two = saved(tmp_path, text("# Two"), name="two.ipynb")
    assert slides(capsys, one, two, "--out", tmp_path, "--no-execute")[0] == 0
    deck = (tmp_path / "one.html").read_text("utf-8")
    assert '<a href="two.html">Two</a>' in deck and "three.ipynb" not in deck


@pytest.mark.parametrize(
    ("make", "arguments", "said", "expected"),
    [
        (lambda folder: folder / "none.ipynb", (), "that exists", 2),
        (lambda folder: saved(folder, text("# T")), ("again.ipynb", "--title", "x"), "each of several notebooks", 1),
        (lambda folder: saved(folder, code("1 / 0")), (), "ZeroDivisionError", 1),
        (lambda folder: saved(folder, text("# T", "skip")), (), "something to show", 2),
    ],
)
def test_an_error_is_one_message_and_nothing_is_written(tmp_path, capsys, make, arguments, said, expected):
    status, _, error = slides(capsys, make(tmp_path), *arguments, "--out", tmp_path / "out")
    assert status == expected and said in error and error.startswith("kvmmmu-lab: ") and "Traceback" not in error
    assert not list((tmp_path / "out").glob("*.html"))


@pytest.mark.parametrize(
    ("module", "package"),
    [("sphinx_revealjs", "sphinx-revealjs"), ("sphinx-mathjax-offline", "sphinx-mathjax-offline"), ("bs4", "beautifulsoup4")],
)
def test_a_missing_package_is_named_with_the_way_to_install_it(tmp_path, capsys, monkeypatch, module, package):
    template.package_asset.cache_clear()  # another test may have used it
    there = importlib.util.find_spec
    monkeypatch.setattr(template.importlib.util, "find_spec", lambda name: None if name == module else there(name))
    status, _, error = slides(capsys, saved(tmp_path, text("# T: $x^2$")), "--out", tmp_path)
    assert status == 1 and f"{package} is missing: install it with" in error and "[slides]" in error


def test_a_folder_without_lessons_is_refused(tmp_path, capsys):
    assert cli.main(["site", "--out", str(tmp_path / "out"), "--folder", str(tmp_path)]) == 1
    assert "notebooks/" in capsys.readouterr().err


def test_a_file_that_can_t_be_written_is_named(tmp_path, capsys):
    (tmp_path / "talk.html").mkdir()
    status, _, error = slides(capsys, saved(tmp_path, text("# T")), "--out", tmp_path, "--no-execute")
    assert status == 1 and "talk.html" in error and "can be written" in error


def test_the_command_reports_a_notebook_without_outputs(tmp_path, capsys):
    status, out, _ = slides(capsys, saved(tmp_path, text("# T"), code("1 + 1")), "--out", tmp_path, "--no-execute")
    assert status == 0 and "the notebook has no outputs" in out


def test_without_a_writable_cache_the_notebook_still_runs(tmp_path, capsys, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("KVMMMU_LAB_CACHE", str(tmp_path / "file"))
    assert slides(capsys, saved(tmp_path, text("# T"), code("print(41 + 1)")), "--out", tmp_path)[0] == 0
    assert "42" in (tmp_path / "talk.html").read_text("utf-8")


def test_a_deck_has_the_logo_and_the_style_of_its_author(tmp_path, capsys):
    path = saved(tmp_path, text("# T"))
    (tmp_path / "logo.png").write_bytes(b"abc")
    (tmp_path / "own.css").write_text("body { --accent: #123456 }")
    options = ("--logo", tmp_path / "logo.png", "--css", tmp_path / "own.css", "--footer", "Winter", "--author", "A. Lecturer")
    assert slides(capsys, path, "--out", tmp_path, "--no-execute", *options)[0] == 0
    deck = (tmp_path / "talk.html").read_text("utf-8")
    assert all(part in deck for part in ("data:image/png;base64,YWJj", "#123456", ">Winter<", "A. Lecturer"))


@pytest.mark.parametrize(("option", "expected"), [("--logo", "logo.svg or logo.png"), ("--css", "no.css")])
def test_a_logo_or_a_style_that_is_missing_is_one_message(tmp_path, capsys, option, expected):
    path = saved(tmp_path, text("# T"))
    status, _, error = slides(capsys, path, "--out", tmp_path / "out", "--no-execute", option, tmp_path / "no.css")
    assert status == 2 and expected in error and error.count("\n") == 1 and not list((tmp_path / "out").glob("*.html"))


def test_a_logo_that_a_notebook_names_must_be_in_its_folder(tmp_path, capsys):
    notebook = tmp_path / "in"
    notebook.mkdir()
    (tmp_path / "logo.png").write_bytes(b"abc")
    path = saved(notebook, text("---\ntitle: T\nlogo: ../logo.png\n---"), text("## One"))
    status, out, _ = slides(capsys, path, "--out", tmp_path, "--no-execute", "--strict")
    assert status == 3 and "the logo is left out" in out and "YWJj" not in (tmp_path / "talk.html").read_text("utf-8")
