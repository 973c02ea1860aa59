# SPDX-License-Identifier: GPL-2.0-only
"""Names, contents and answers that hold control characters: no command prints one, except line feeds."""

import argparse
import contextlib
import gzip
import io
import json
import re
import sys
import unicodedata
from pathlib import Path

import nbformat
import numpy as np
import pytest

from kvmmmu_lab import DataError, InputError, cli, load_recording, open_guest, record
from kvmmmu_lab.data import golden_trace
from kvmmmu_lab.player.error_card import card
from kvmmmu_lab.workspace import MANIFEST, course_root

HOSTILE = "\x1b[2J\x1b]0;gone\x07\u202etxt\x9b31m\u2028\x7f\r\ud800<b>[red]"
"""Clears the screen, sets the title, writes from right to left, colours; a lone surrogate; markup of HTML and of rich."""

NAME = HOSTILE.replace("\ud800", "").replace("/", "") if sys.platform != "win32" else "\u202ehostile\u2028"
"""The same as a file's name, as far as the system allows."""

LINE = HOSTILE.replace("\r", "").replace("\ud800", "")
"""The same as it may stand in a line of source."""

SUBMISSION = f'''
import os
class ReverseMap:
    def __init__(self, vm):
        print({HOSTILE!r}, end="{LINE}")
    def add(self, spte):
        raise ValueError({HOSTILE!r})  # {LINE}
    def sptes(self, hfn):
        return {HOSTILE!r}
    def frames(self):
        return {{{HOSTILE!r}}}
'''


def controls(text):
    return {c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")} - {"\n"}


@pytest.fixture
def said(capsys, monkeypatch, tmp_path):
    """A function that runs a command and returns what it prints, after a look at each character of it."""

    def run(*arguments, typed=""):
        (tmp_path / "typed").write_text(typed)
        with (tmp_path / "typed").open() as stdin, contextlib.suppress(SystemExit):
            monkeypatch.setattr(sys, "stdin", stdin)
            cli.main([*map(str, arguments)])
        out, err = capsys.readouterr()
        assert controls(out + err) == set(), (arguments[0], out + err)
        assert "Traceback" not in out + err
        return out + err

    return run


@pytest.fixture
def folder(tmp_path, monkeypatch):
    made = tmp_path / NAME
    made.mkdir()
    monkeypatch.chdir(made)
    return made


def write(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    return path


def golden(folder):
    lines = gzip.decompress(golden_trace("rmap").read_bytes()).decode().splitlines()[:4]
    header = json.loads(lines[0]) | {"name": HOSTILE, "nops": 3, "end": HOSTILE}
    return write(folder, f"{NAME}.gz", gzip.compress("\n".join([json.dumps(header), *lines[1:], '{"t": "end"}']).encode()))


def notebook(folder, *cells):
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(f"# {HOSTILE}"), *cells])
    return write(folder, f"{NAME}.ipynb", json.dumps(book))


def commands():
    """The names of all commands."""
    actions = cli._parser()._actions
    return {name for action in actions if isinstance(action, argparse._SubParsersAction) for name in action.choices}


def test_each_command_is_tried_here():
    text = Path(__file__).read_text("utf-8")
    assert {name for name in commands() if f'said("{name}"' not in text} == {"bench"}, "which prints nothing from outside"


def test_arguments(said):
    for arguments in ([HOSTILE], ["check"], ["check", HOSTILE], ["hint", HOSTILE], ["verify", HOSTILE], ["doctor", HOSTILE]):
        assert said(*arguments)
    assert said("hint", "rmap_add", HOSTILE) and said("slides", HOSTILE, "--theme", HOSTILE, "--out", "x")


ESCAPED = re.compile(r"\\(?:x1b|u202e|u2028|x7f)")
"""The middle of a long path may be left out."""


def test_folders(said, folder, tmp_path):
    assert "\\x1b" in said("lab", "--print-only", "--folder", folder / "mine")
    (folder / "mine" / MANIFEST).write_text(json.dumps({"files": {HOSTILE: HOSTILE}}))
    assert said("lab", "--print-only", "--folder", folder / "mine")
    assert "\\x1b" in said("source", folder)
    assert ESCAPED.search(said("check", "rmap_add", "--folder", folder))
    assert ESCAPED.search(said("watch", "rmap_add", "--folder", folder, typed="h\nl\nq\n"))
    assert "\\x1b" in said("site", "--folder", folder, "--out", tmp_path / "out")
    assert said("doctor")


def test_files_to_verify(said, folder):
    arrays = io.BytesIO()
    np.savez(arrays, **{"tlb_gva": np.zeros(1), HOSTILE.replace("\ud800", ""): np.zeros(1)})
    for path in (golden(folder), write(folder, f"{NAME}.npz", arrays.getvalue()), write(folder, NAME, HOSTILE), folder):
        assert "\\x1b" in said("verify", path)
        assert said("verify", path, "--json")


def test_a_submission(said, folder):
    path = write(folder, f"{NAME}.py", SUBMISSION)
    shown = said("check", "rmap_add", path, "--all")
    assert "\\x1b[2J" in shown and "\\u202e" in shown and "[red]" in shown


@pytest.mark.slow
def test_a_submission_in_other_forms(said, folder):
    path = write(folder, f"{NAME}.py", SUBMISSION)
    assert json.loads(said("check", "rmap_add", path, "--json"))["points"] == 0
    cell = nbformat.v4.new_code_cell(SUBMISSION.replace("\r", ""), metadata={"tags": ["solution"]})
    assert "\\x1b[2J" in said("check", "rmap_add", notebook(folder, cell))


def test_a_class(said, folder, tmp_path):
    write(folder, f"{NAME}.py", SUBMISSION)
    assert said("grade", folder, "--out", tmp_path / "report", "--exercise", "rmap_add")
    assert "\\x1b" in said("grade", folder / "nothing", "--out", folder / "report")


def test_a_release(said, folder, tmp_path):
    course = write(folder, "course.toml", f"{json.dumps(LINE)} = 1\n")
    assert ESCAPED.search(said("release", "--check", "--course", course))
    assert ESCAPED.search(said("release", "--out", folder))
    (tmp_path / "KIT" / "exercises").mkdir(parents=True)
    write(tmp_path / "KIT" / "exercises", f"{NAME}.py", "def split(gva, mode):\n    return 1\n")
    assert "\\x1b" in said("release", "--out", tmp_path / "KIT", "--check")
    assert json.loads(said("release", "--out", tmp_path / "KIT", "--check", "--json").partition("\n1 leak")[0])["leaks"]


def test_progress(said, data_folder):
    data_folder.mkdir()
    write(data_folder, "progress.json", json.dumps({"exercises": {HOSTILE: 3}, "predictions": {HOSTILE: {"right": HOSTILE}}}))
    assert "\\x1b" in said("progress")
    assert said("progress", "--json") and said("progress", "--reset")


@pytest.mark.slow
def test_slides_and_pages(said, folder, tmp_path):
    printed = nbformat.v4.new_output("stream", text=HOSTILE.replace("\ud800", ""))
    cell = nbformat.v4.new_code_cell(f"x = '{HOSTILE}'".replace("\ud800", "").replace("\r", ""), outputs=[printed])
    text = notebook(folder, cell)
    text.write_text(text.read_text().replace("\\ud800", ""))
    assert said("slides", text, "--no-execute", "--out", tmp_path / "out")
    (page,) = (tmp_path / "out").glob("*.html")
    body = page.read_text("utf-8").partition('<div class="slides"')[2].partition("<script")[0]
    assert "\\u202e" in body and not controls(body.replace("\t", "")) and "<b>[red]" not in body.partition("<pre")[2]
    write(folder, "broken.ipynb", HOSTILE)
    assert said("slides", folder / "broken.ipynb", "--out", tmp_path / "out")


# Outside the commands


def test_messages_of_errors_are_printable():
    for error in (InputError(HOSTILE, HOSTILE, HOSTILE), DataError(HOSTILE, HOSTILE, HOSTILE)):
        assert not controls(str(error)) and not controls(card(error))


def test_the_words_of_a_recording_are_printable(tmp_path):
    vm = open_guest("lin64_A").vm()
    with record(vm) as recording:
        vm.access(0x400000, user=True)
    path = recording.save(tmp_path / "a.npz")
    with np.load(path) as archive:
        arrays = dict(archive)
    meta = json.loads(str(arrays["meta"])) | {"error": ["LabError", HOSTILE]}
    np.savez(path, **arrays | {"meta": np.array(json.dumps(meta))})
    assert not controls(str(load_recording(path).error))


def test_the_report_of_a_check_is_printable_everywhere(folder):
    from kvmmmu_lab.check.judge import Judge
    from kvmmmu_lab.check.submission import read
    from kvmmmu_lab.exercises import find

    path = write(folder, f"{NAME}.py", SUBMISSION)
    report = Judge(find("rmap_add", course_root()), read(path)).report()
    shown = report._repr_mimebundle_()
    assert not controls(shown["text/plain"]) and not controls(shown["text/html"])
    assert "<b>[red]" not in shown["text/html"]
