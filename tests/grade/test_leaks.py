# SPDX-License-Identifier: GPL-2.0-only
"""What would leak from a kit is named with file and line, before the kit is written and after it was edited."""

import json
import py_compile
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest

from kvmmmu_lab import workspace
from kvmmmu_lab.cli import main
from kvmmmu_lab.course_settings import CourseSettings, of_text
from kvmmmu_lab.errors import InputError
from kvmmmu_lab.grade.leaks import Leak, LeakFinder
from kvmmmu_lab.grade.release import Release
from kvmmmu_lab.grade.stubs import difference, written
from kvmmmu_lab.grade.text_lines import Solutions, text_lines

from ..exercises import solutions
from ..exercises.checking import EXERCISES, ROOT
from ..share import one_in

SETTINGS = 'title = "C# and others"\nseed = 7\n[points.split]\noffset = 0\n'
RIGHT = solutions.right("04_rmap_add")["pairs"].source
STUB = (ROOT / "exercises/04_rmap_add/rmap_add.py").read_text("utf-8")
PLACE = "exercises/04_rmap_add"
STUB_FILE, BOOK, COURSE = f"{PLACE}/rmap_add.py", f"{PLACE}/rmap_add.ipynb", "exercises/course.toml"
SPLIT = "exercises/01_split/split.py"
MOODLE = "Ada_123_assignsubmission_file_"


@pytest.fixture(scope="module")
def finder():
    return LeakFinder(Release(of_text(SETTINGS, "")))


@pytest.fixture(scope="module")
def clean(finder, tmp_path_factory):
    """The parts of a kit that are edited below."""
    folder = tmp_path_factory.mktemp("clean") / "KIT"
    for name, content in finder.release.files.items():
        if name.startswith(("exercises/", "notebooks/06", "notebooks/start", "kvmmmu_lab/mmu/")) or "/" not in name:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def kit(clean, tmp_path):
    return Path(shutil.copytree(clean, tmp_path / "KIT"))


def test_nothing_leaks_from_the_kit_as_it_is(finder, clean):
    assert finder.in_release() == [] and finder.in_folder(clean) == []


# Edits of a kit that is there


def write(name, text):
    def edit(kit):
        (kit / name).parent.mkdir(parents=True, exist_ok=True)
        (kit / name).write_bytes(text if isinstance(text, bytes) else text.encode())

    return edit


def change(name, old, new):
    def edit(kit):
        text = (kit / name).read_text("utf-8")
        assert old in text
        (kit / name).write_text(text.replace(old, new, 1), "utf-8")

    return edit


def cell(name, change):
    """Change the cell tagged solution of a notebook."""

    def edit(kit):
        book = json.loads((kit / name).read_text("utf-8"))
        change(book, next(cell for cell in book["cells"] if "solution" in cell["metadata"].get("tags", ())))
        (kit / name).write_text(json.dumps(book, indent=1), "utf-8")

    return edit


def fill(source):
    return lambda book, cell: cell.update(source=source.splitlines(keepends=True))


def append(kind, source):
    new = {"cell_type": kind, "metadata": {}, "source": source.splitlines(keepends=True)}
    new |= {"outputs": [], "execution_count": None} if kind == "code" else {}
    return lambda book, cell: book["cells"].append(new)


def run(book, cell):
    book["cells"][1].update(outputs=[{"output_type": "stream", "name": "stdout", "text": ["10 of 10 points"]}])


def minified(kit):
    path = kit / PLACE / "rmap_add.ipynb"
    cell(f"{PLACE}/rmap_add.ipynb", fill(RIGHT))(kit)
    path.write_text(json.dumps(json.loads(path.read_text("utf-8"))), "utf-8")


def database(kit):
    sqlite3.connect(kit / "notebooks" / "x.dat").execute("CREATE TABLE marks (learner)").connection.close()


def compiled(kit):
    (kit / PLACE / "mine.py").write_text(RIGHT, "utf-8")
    py_compile.compile(str(kit / PLACE / "mine.py"), str(kit / PLACE / "rmap_add.pyc"))
    (kit / PLACE / "mine.py").unlink()


def checkpoint(kit):
    (kit / PLACE / ".ipynb_checkpoints").mkdir()
    shutil.copy(kit / PLACE / "rmap_add.ipynb", kit / PLACE / ".ipynb_checkpoints" / "rmap_add-checkpoint.ipynb")
    cell(f"{PLACE}/.ipynb_checkpoints/rmap_add-checkpoint.ipynb", fill(RIGHT))(kit)


SOLVED = STUB.replace('raise NotImplementedError("write add")', "self.sptes_of[1] = spte")
EDITS = {
    "a stub that was solved": (write(STUB_FILE, SOLVED), STUB_FILE, 15, "ReverseMap.add is written"),
    "a stub that was changed": (
        change(STUB_FILE, "self.vm = vm", "self.vm, self.kept = vm, {}"),
        STUB_FILE, 13, "its code differs from the stub",  # in git, or of the kit where there is no git
    ),
    "a right solution": (write(STUB_FILE, RIGHT), STUB_FILE, None, "a right solution (tests/exercises/"),
    "a lambda": (change(SPLIT, "def split(", "split = lambda *_: 0\ndef old("), SPLIT, 5, "split is written"),
    "a stub that is no Python": (write(STUB_FILE, "class ReverseMap:\n"), STUB_FILE, 1, "differs"),
    "a solution beside it": (write(f"{PLACE}/mine.py", "def pre_write(vm, gpa, size):\n    return 1\n"), f"{PLACE}/mine.py", 1,
                             "pre_write is written"),
    "a solution in a hint": (change(f"{PLACE}/hints.md", "## 3", f"## 3\n```python\n{RIGHT}```\n"), f"{PLACE}/hints.md", None,
                             "the text of a right solution"),
    "a solution in the engine": (change("kvmmmu_lab/mmu/rmap.py", "class ReverseMap", f"{RIGHT}\n\nclass ReverseMap"),
                                 "kvmmmu_lab/mmu/rmap.py", None, "the text of a right solution"),
    "a solution in a checker": (change(f"{PLACE}/test_rmap_add.py", "FRAME = 0x1F", f"{RIGHT}\nFRAME = 0x1F"),
                                f"{PLACE}/test_rmap_add.py", None, "the text of a right solution"),
    "a solution in a lesson": (cell(BOOK, append("markdown", RIGHT)), BOOK,
                               None, "the text of a right solution"),
    "a filled cell": (cell(BOOK, fill(SOLVED)), BOOK, None,
                      "ReverseMap.add is written in code cell 4"),
    "a changed cell": (cell(BOOK, fill(STUB.replace("= vm", "= vm, 1"))), BOOK, None,
                       "its cells tagged 'solution' differ from the stub"),
    "a cell without its tag": (cell(BOOK, append("code", SOLVED)), BOOK, None,
                               "ReverseMap.add is written in code cell 6"),
    "a notebook in one line": (minified, BOOK, 1, "ReverseMap.add is written"),
    "outputs": (cell(BOOK, run), BOOK, None, "cell 2 has outputs"),
    "a checkpoint": (checkpoint, f"{PLACE}/.ipynb_checkpoints/rmap_add-checkpoint.ipynb", None, "ReverseMap.add is written"),
    "a notebook that can't be read": (write("notebooks/x.ipynb", "{"), "notebooks/x.ipynb", 0, "it can't be looked into"),
    "notes for teachers": (
        lambda kit: shutil.copy(ROOT / "notebooks/06_reverse_maps.ipynb", kit / "notebooks"),
        "notebooks/06_reverse_maps.ipynb", None, "cell 3 has notes for teachers",
    ),
    "settings of the grader": (
        change(COURSE, "[points", "[grading]\nseed = 99\n\n[points"), COURSE, 5, "of the grader",
    ),
    "the same in one line": (
        change(COURSE, "seed = 7\n", "seed = 7\ngrading.seed = 99\n"), COURSE, 4, "of the grader",
    ),
    "a key that no course has": (
        change(COURSE, "seed = 7\n", "seed = 7\ncanvas = 'x'\n"), COURSE, 4, "canvas is not a key",
    ),
    "a comment": (
        change(COURSE, "seed = 7\n", "seed = 7  # 8 in the exam\n"), COURSE, 3, "a comment",
    ),
    "a token": (write("exercises/lms.toml", "a = 1\napi_token = 'f81d4fae7dec11d0'\n"), "exercises/lms.toml", 2, "a token"),
    "a key": (write("deploy.yml", "x: |\n  -----BEGIN OPENSSH PRIVATE KEY-----\n"), "deploy.yml", 2, "a key"),
    "the tests": (write("tests/exercises/04_rmap_add/wrong/x.py", "x = 1\n"), "tests/exercises/04_rmap_add/wrong/x.py", 0,
                  "for the instructor"),
    "the tools": (write(".ci/run", "#!/bin/sh\n"), ".ci/run", 0, "for the instructor"),
    "a record": (write("report/record.sqlite", b""), "report/record.sqlite", 0, "marks of a class"),
    "a database": (database, "notebooks/x.dat", 0, "marks of a class"),
    "a table of marks": (write("exercises/a.csv", "\ufefflearner,exercise,status\n"), "exercises/a.csv", 0, "marks of a class"),
    "lines of marks": (write("a.txt", '{"learner": "ada", "exercise": "split"}\n'), "a.txt", 0, "marks of a class"),
    "a download": (write(f"{MOODLE}/split.py", "x = 1\n"), f"{MOODLE}/split.py", 0, "marks of a class"),
    "hand-ins": (write("submitted/ada/split/split.py", "x"), "submitted/ada/split/split.py", 0, "what a class has handed in"),
    "an archive": (write("old.zip", b"PK"), "old.zip", 0, "an archive"),
    "compiled code": (compiled, f"{PLACE}/rmap_add.pyc", 0, "compiled code"),
    "a link": (lambda kit: (kit / "more").symlink_to(ROOT / "tests"), "more", 0, "a link to a folder"),
    "a link to a file": (lambda kit: (kit / "r.py").symlink_to(ROOT / "README.md"), "r.py", 0, "a symbolic link"),
}  # fmt: skip


@pytest.mark.parametrize("what", one_in(3, EDITS))
def test_an_edit_that_leaks_is_named_with_file_and_line(what, finder, kit):
    edit, file, line, words = EDITS[what]
    edit(kit)
    found = finder.in_folder(kit)
    here = [leak for leak in found if leak.file == file and words in leak.what]
    assert here, found
    if line is None:  # a line of the file that has to do with it
        line = here[0].line
        assert 1 <= line <= (kit / file).read_text("utf-8").count("\n") + 1
    assert line in {leak.line for leak in here}, found
    assert {leak.file for leak in found} == {file}, found


def test_the_line_of_a_filled_cell_is_that_in_the_notebooks_file(finder, kit):
    cell(f"{PLACE}/rmap_add.ipynb", fill(SOLVED))(kit)
    line = next(leak.line for leak in finder.in_folder(kit) if "is written" in leak.what)
    text = (kit / PLACE / "rmap_add.ipynb").read_text("utf-8").splitlines()[line - 1]
    assert "def add(self, spte):" in text


@pytest.mark.parametrize("name", EXERCISES)
@pytest.mark.parametrize("which", range(2))
def test_the_text_of_every_right_solution_is_recognised(name, which, finder):
    source = list(solutions.right(name).values())[which % len(solutions.right(name))].source
    lines = text_lines("x.md", f"A solution:\n\n```python\n{source}\n```\n".encode())
    assert list(finder.solutions.found(lines)), source


def test_what_is_no_leak_is_left_alone(finder, kit):
    change(f"{PLACE}/rmap_add.py", '"""For each', '"""\n\n    For each')(kit)  # a docstring
    change(f"{PLACE}/hints.md", "## 1", "## 1\n\nThink of `vm.memory.words`.\n")(kit)
    write("SYLLABUS.md", "Week 1: split. No tokens are needed.\n")(kit)
    write(".git/config", "[remote]\n")(kit)
    write(".venv/lib/x.sqlite", b"SQLite format 3\0")(kit)
    finder.notes.clear()
    assert finder.in_folder(kit) == []
    assert "not from the kit: SYLLABUS.md" in finder.notes
    assert {note.split(",")[0] for note in finder.notes} >= {"not looked into: .git", "not looked into: .venv"}


# The kit that would be written


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout, with git, of two exercises."""
    root = tmp_path / "checkout"
    for name in ("01_split", "04_rmap_add"):
        shutil.copytree(ROOT / "exercises" / name, root / "exercises" / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("kvmmmu_lab", "notebooks"):
        (root / name).mkdir()
    (root / "kvmmmu_lab" / "__init__.py").write_text("")
    shutil.copy(ROOT / "notebooks/start.ipynb", root / "notebooks")
    for name in ("pyproject.toml", "LICENSE"):
        shutil.copy(ROOT / name, root)
    shutil.copytree(ROOT / "tests/exercises/04_rmap_add/right", root / "tests/exercises/04_rmap_add/right")
    for arguments in (["init", "-q"], ["add", "-A"], ["-c", "user.name=x", "-c", "user.email=x@x", "commit", "-qm", "x"]):
        subprocess.run(["git", "-C", root, *arguments], check=True, capture_output=True)
    monkeypatch.setattr(workspace, "PACKAGE", root / "kvmmmu_lab")
    monkeypatch.setattr(workspace, "course_root", lambda: root)
    return root


def leaks():
    return LeakFinder(Release(CourseSettings())).in_release()


@pytest.mark.skipif(not shutil.which("git"), reason="needs git")
def test_a_solved_stub_a_stray_file_and_a_filled_notebook_stay_here(checkout, tmp_path, capsys):
    assert leaks() == []
    (checkout / PLACE / "rmap_add.py").write_text(SOLVED, "utf-8")
    (checkout / PLACE / "answers.txt").write_text("42", "utf-8")
    cell(f"{PLACE}/rmap_add.ipynb", fill(SOLVED))(checkout)
    found = leaks()
    assert Leak(f"{PLACE}/rmap_add.py", 20, "its code differs from the stub in git") in found
    assert Leak(f"{PLACE}/rmap_add.py", 15, "ReverseMap.add is written: a stub only raises NotImplementedError") in found
    assert next(leak.what for leak in found if leak.file.endswith("answers.txt")).startswith("not in git")
    assert len([leak for leak in found if leak.file.endswith(".ipynb")]) == 2
    assert main(["release", "--out", str(tmp_path / "KIT")]) == 1
    said = capsys.readouterr().out
    assert f"{PLACE}/rmap_add.py:20: its code differs from the stub in git\n" in said
    assert "5 leaks, so nothing was written" in said and not (tmp_path / "KIT").exists()
    assert main(["release", "--out", str(tmp_path / "KIT"), "--check", "--json"]) == 1
    data = json.loads(capsys.readouterr().out)
    assert len(data["leaks"]) == 5 and data["leaks"][0]["file"] == f"{PLACE}/answers.txt"
    assert main(["release", "--out", str(tmp_path / "KIT"), "--anyway"]) == 0
    assert (tmp_path / "KIT" / PLACE / "rmap_add.py").read_text("utf-8") == SOLVED


@pytest.mark.skipif(not shutil.which("git"), reason="needs git")
def test_a_solved_stub_that_was_committed_is_noticed_too(checkout):
    (checkout / PLACE / "rmap_add.py").write_text(RIGHT, "utf-8")
    subprocess.run(["git", "-C", checkout, "-c", "user.name=x", "-c", "user.email=x@x", "commit", "-qam", "x"], check=True)
    found = {leak.what.partition(":")[0].partition(" (")[0] for leak in leaks() if leak.file == f"{PLACE}/rmap_add.py"}
    assert found == {f"ReverseMap.{name} is written" for name in ("add", "sptes", "frames")} | {"the text of a right solution"}


def test_without_git_the_other_signs_remain(checkout):
    shutil.rmtree(checkout / ".git")
    (checkout / PLACE / "rmap_add.py").write_text(SOLVED, "utf-8")
    finder = LeakFinder(Release(CourseSettings()))
    assert [leak.line for leak in finder.in_release() if leak.file.endswith(".py")] == [15]
    assert "neither git nor the installed wheel says which files belong to the course" in finder.notes


def test_solutions_of_ones_own_are_looked_for(tmp_path, kit):
    (tmp_path / "mine").mkdir()
    text = "def audit(vm):\n    rows = sorted(vm.machine.everything())\n    return [row for row in rows if row.odd]\n"
    (tmp_path / "mine" / "audit.py").write_text(text, "utf-8")
    finder = LeakFinder(Release(CourseSettings()), tmp_path / "mine")
    change(f"{PLACE}/hints.md", "## 2", f"## 2\n{text}")(kit)
    (leak,) = [leak for leak in finder.in_folder(kit) if leak.file == f"{PLACE}/hints.md"]
    assert leak.what == "the text of a right solution (audit.py:2)"
    with pytest.raises(InputError, match="a folder with right solutions"):
        LeakFinder(Release(CourseSettings()), tmp_path / "nothing")


# The parts


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("def f():\n    raise NotImplementedError('x')", []),
        ("def f():\n    '''Text.'''\n    raise NotImplementedError", []),
        ("def f():\n    x = 1\n    raise NotImplementedError", [(1, "f")]),
        ("\ndef f(): return 1", [(2, "f")]),
        ("async def f(): pass", [(1, "f")]),
        ("f = print", [(1, "f")]),
        ("class C:\n    def g(self): return 1", [(2, "C.g")]),
        ("class D:\n    def g(self): return 1", []),
        ("def g(): return 1", []),
        ("not Python", []),
    ],
)
def test_what_is_written_is_told_from_stubs(source, found):
    assert list(written(source, ["f", "C.g"])) == found


def test_only_code_makes_a_difference():
    assert difference("# x\ndef f():\n    '''y'''\n    return  1\n", "def f():\n    return 1") == 0
    assert difference("def f():\n    return 1\n\n\nX = 2\n", "def f():\n    return 1\n") == 5
    assert difference("def f():\n    return 2\n", "def f():\n    return 1\n") == 2
    assert difference("def f(:", "def f(): pass") == 1


def test_short_lines_prove_nothing():
    own = Solutions([("a.py", "x = 1\ny = 2\nz = 3\n")], [])
    assert not list(own.found([(1, "x = 1"), (2, "y = 2"), (3, "z = 3")]))
