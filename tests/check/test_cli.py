# SPDX-License-Identifier: GPL-2.0-only
"""The commands check, hint and watch in a working folder."""

import json
import os
import re
import subprocess
import sys

import nbformat
import pytest

from kvmmmu_lab.cli import main
from kvmmmu_lab.progress import FILE, Progress
from kvmmmu_lab.workspace import prepare

from .samples import RIGHT, WRONG, before


@pytest.fixture
def folder(tmp_path, monkeypatch):
    prepare(tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def mine(folder):
    return folder / "exercises" / "04_rmap_add" / "rmap_add.py"


def test_check_takes_the_learners_file_and_keeps_progress(folder, capsys):
    assert main(["check", "rmap_add"]) == 1
    assert "not attempted" in capsys.readouterr().out
    mine(folder).write_text(RIGHT)
    assert main(["check", "04"]) == 0
    said = capsys.readouterr().out
    assert "10 of 10 points" in said and "hint" not in said
    assert Progress().get("rmap_add", "best") == 10


def test_check_prints_the_report_on_another_file_as_json(folder, data_folder, capsys):
    (folder / "mine.py").write_text(WRONG)
    assert main(["check", "rmap_add", "mine.py", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["points"] < report["of"] == 10
    wrong = next(rule for rule in report["rules"] if rule["status"] == "failed")
    assert wrong["message"] and wrong["steps"]
    assert not (data_folder / FILE).exists(), "a named file is not counted as progress"


@pytest.mark.slow
def test_a_failure_is_explained_in_a_helpful_order(folder, capsys):
    (folder / "mine.py").write_text(WRONG)
    main(["check", "rmap_add", "mine.py"])
    said = capsys.readouterr().out
    order = [
        "Failed: ", "the reverse map of gfn 0x1f (hfn 0x21f) has lost spte #7:15",
        "The shortest steps that lead there", "1. add(#7:12)",
        "Expected:", "kvmmmu-lab hint rmap_add",
    ]  # fmt: skip
    places = [" ".join(said.split()).index(words) for words in order]
    assert places == sorted(places) and "Traceback" not in said


def test_inline_runs_the_submission_in_this_process(folder, capsys):
    path = folder / "mine.py"
    path.write_text(before("1 / 0"))
    with pytest.raises(ZeroDivisionError):
        main(["check", "rmap_add", str(path), "--inline"])
    assert "does not count" in capsys.readouterr().err


def test_hints_come_one_by_one(folder, capsys):
    said = []
    for _ in range(4):
        assert main(["hint", "rmap_add"]) == 0
        said.append(capsys.readouterr().out)
    assert [words.split("\n")[0] for words in said] == [
        "Hint 1 of 3", "Hint 2 of 3", "Hint 3 of 3 (the last one)", "Hint 3 of 3 (the last one)",
    ]  # fmt: skip
    assert len(set(said)) == 3


def test_a_hint_can_be_chosen_by_number(folder, capsys):
    main(["hint", "rmap_add", "3"])
    assert main(["hint", "rmap_add", "1"]) == 0
    assert "Hint 1 of 3" in capsys.readouterr().out
    assert main(["hint", "rmap_add", "4"]) == 1
    assert "1 to 3" in capsys.readouterr().err


@pytest.mark.slow
def test_a_changed_notebook_counts_while_the_file_is_unchanged(folder, capsys):
    path = folder / "exercises" / "04_rmap_add" / "rmap_add.ipynb"
    book = nbformat.read(path, as_version=4)
    next(cell for cell in book.cells if "solution" in cell.metadata.get("tags", ())).source = RIGHT
    nbformat.write(book, path)
    assert main(["check", "rmap_add"]) == 0
    assert "rmap_add.ipynb" in capsys.readouterr().out
    mine(folder).write_text(WRONG)
    assert main(["check", "rmap_add"]) == 1, "a changed file comes first"


@pytest.mark.slow
def test_all_explains_every_failure(folder, capsys):
    (folder / "mine.py").write_text(WRONG)
    main(["check", "rmap_add", "mine.py"])
    said = capsys.readouterr().out
    assert said.count("✗ Failed") == 1 and "failures: kvmmmu-lab check rmap_add mine.py --all" in said
    main(["check", "rmap_add", "mine.py", "--all"])
    assert capsys.readouterr().out.count("✗ Failed") > 1


@pytest.mark.slow
def test_output_is_shown_for_the_steps_that_fail(folder, capsys):
    (folder / "mine.py").write_text(WRONG.replace("entry = self", "print('adding', spte)\n        entry = self"))
    main(["check", "rmap_add", "mine.py"])
    said = capsys.readouterr().out
    assert said.count("    adding") == 5 and "bytes in total" in said


def test_without_a_working_folder_the_message_says_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert main(["check", "rmap_add"]) == 2
    assert "--print-only" in capsys.readouterr().err
    assert "--print-only" in watch(tmp_path, "q")


@pytest.mark.parametrize(
    ("arguments", "words", "status"),
    [(["check", "nothing"], "one of", 1), (["check", "rmap_add", "no.py"], "no such file", 2), (["hint", "x"], "one of", 1)],
)
def test_a_bad_argument_is_one_line_on_stderr(folder, capsys, arguments, words, status):
    assert main(arguments) == status
    said = capsys.readouterr().err
    assert words in said and "Traceback" not in said and said.count("\n") == 1


def watch(folder, keys):
    """Return what `watch` prints when these keys are pressed, each on its own line."""
    done = subprocess.run(
        [sys.executable, "-m", "kvmmmu_lab", "watch", "rmap_add"], cwd=folder, input="".join(f"{key}\n" for key in keys),
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_watch_checks_gives_hints_moves_on_and_remembers(folder):
    said = watch(folder, "hnlq")
    assert "not attempted" in said and "Hint 1 of 3" in said and "04 Reverse maps, add" in said
    mine(folder).write_text(RIGHT)
    said = watch(folder, "q")
    assert "Solved!" in said and re.search(r"> 04 Reverse maps, add +10 of 10", said)
    assert "10 of 10" in watch(folder, "nq"), "remembered from the run before"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_watch_in_a_terminal_checks_again_on_each_save(folder):
    import pty
    import select
    import time

    terminal, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "kvmmmu_lab", "watch", "rmap_add"], cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)

    said = ""

    def until(words, seconds=30):
        """Read on until the terminal has shown these words after those of the last call."""
        nonlocal said
        end = time.monotonic() + seconds
        while words not in said and select.select([terminal], [], [], max(0, end - time.monotonic()))[0]:
            said += os.read(terminal, 1 << 16).decode(errors="replace")
        assert words in said, said
        said = said.partition(words)[2]

    try:
        until("[q] quit")
        mine(folder).write_text(WRONG)
        until("has lost")  # the sentence continues on the next line
        until("[q] quit")
        mine(folder).write_text(RIGHT)
        until("Solved!")
        os.write(terminal, b"h")
        until("Hint 1")
        os.write(terminal, b"q")
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
