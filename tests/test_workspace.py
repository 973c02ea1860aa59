# SPDX-License-Identifier: GPL-2.0-only
"""The working folder: files are copied and kept, and messages explain failures."""

import json
import shutil
import subprocess
import sys
import types
from pathlib import PurePath

import pytest

from kvmmmu_lab import workspace
from kvmmmu_lab.workspace import MANIFEST, WorkspaceError, prepare

LESSON = "notebooks/00_first_fault.ipynb"
ROOT = workspace.PACKAGE.parent


@pytest.fixture
def course(tmp_path):
    """A small course: a notebook with its source, a picture, an exercise, and files that must not be copied."""
    root = tmp_path / "course"
    for name, text in {
        LESSON: "lesson, first edition",
        "notebooks/00_first_fault.py": "# the lesson's source",
        "notebooks/hierarchy.svg": "<svg/>",
        "notebooks/.ipynb_checkpoints/00_first_fault.ipynb": "not copied",
        "exercises/01_split/stub.py": "def split(): ...",
        "exercises/01_split/__pycache__/stub.pyc": "not copied",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "mine"


def files_in(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {MANIFEST}


def test_the_first_time_everything_a_learner_needs_is_copied(course, folder):
    prepared = prepare(folder, course)
    expected = {LESSON, "notebooks/hierarchy.svg", "exercises/01_split/stub.py"}
    assert files_in(folder) == expected == set(prepared.new)
    assert (folder / LESSON).read_text() == "lesson, first edition"


def test_a_second_time_changes_nothing(course, folder):
    prepare(folder, course)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    prepared = prepare(folder, course)
    assert not (prepared.new or prepared.updated or prepared.kept or prepared.beside)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()} == before


def test_an_unedited_file_follows_the_course(course, folder):
    prepare(folder, course)
    (course / LESSON).write_text("lesson, second edition")
    assert prepare(folder, course).updated == [LESSON]
    assert (folder / LESSON).read_text() == "lesson, second edition"


def test_an_edited_file_is_kept_and_no_new_file_is_put_beside_it(course, folder):
    prepare(folder, course)
    (folder / LESSON).write_text("my notes")
    prepared = prepare(folder, course)
    assert (prepared.kept, prepared.beside) == ([LESSON], [])
    assert (folder / LESSON).read_text() == "my notes"


def test_a_newer_version_of_an_edited_file_is_put_beside_it(course, folder):
    prepare(folder, course)
    (folder / LESSON).write_text("my notes")
    (course / LESSON).write_text("lesson, second edition")
    prepared = prepare(folder, course)
    assert prepared.beside == ["notebooks/00_first_fault.new.ipynb"]
    assert (folder / LESSON).read_text() == "my notes"
    assert (folder / prepared.beside[0]).read_text() == "lesson, second edition"


def test_a_newer_version_is_offered_once_each(course, folder):
    prepare(folder, course)
    (folder / LESSON).write_text("my notes")
    for edition in ("second", "third"):
        (course / LESSON).write_text(f"lesson, {edition} edition")
        (beside,) = prepare(folder, course).beside
        assert (folder / beside).read_text() == f"lesson, {edition} edition"
        (folder / beside).unlink()
        assert prepare(folder, course).beside == []
        assert not (folder / beside).exists()


def test_an_edited_newer_version_is_not_overwritten_either(course, folder):
    prepare(folder, course)
    (folder / LESSON).write_text("my notes")
    (course / LESSON).write_text("lesson, second edition")
    (beside,) = prepare(folder, course).beside
    (folder / beside).write_text("notes in the new one")
    (course / LESSON).write_text("lesson, third edition")
    assert prepare(folder, course).beside == []
    assert (folder / beside).read_text() == "notes in the new one"


def test_a_deleted_file_comes_back_fresh(course, folder):
    prepare(folder, course)
    (folder / LESSON).unlink()
    assert prepare(folder, course).new == [LESSON]
    assert (folder / LESSON).read_text() == "lesson, first edition"


def test_an_edit_equal_to_the_new_version_counts_as_unedited(course, folder):
    prepare(folder, course)
    for edition in ("second", "third"):
        (course / LESSON).write_text(f"lesson, {edition} edition")
        if edition == "second":
            (folder / LESSON).write_text("lesson, second edition")
            assert prepare(folder, course).kept == []
    assert prepare(folder, course).updated == [LESSON]


def test_a_file_that_the_kit_did_not_copy_is_not_overwritten(course, folder):
    (folder / "notebooks").mkdir(parents=True)
    (folder / LESSON).write_text("another file")
    prepared = prepare(folder, course)
    assert (folder / LESSON).read_text() == "another file"
    assert (folder / prepared.beside[0]).read_text() == "lesson, first edition"


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"files": 3}', b"\xff\xfe"])
def test_with_a_damaged_record_every_differing_file_is_kept(course, folder, damage):
    prepare(folder, course)
    (folder / MANIFEST).write_bytes(damage)
    (course / LESSON).write_text("lesson, second edition")
    prepared = prepare(folder, course)
    assert prepared.kept == [LESSON]
    assert (folder / LESSON).read_text() == "lesson, first edition"
    assert "exercises/01_split/stub.py" in json.loads((folder / MANIFEST).read_text())["files"]


def test_the_course_itself_is_used_in_place(course):
    before = files_in(course)
    assert prepare(course, course).new == []
    assert files_in(course) == before
    assert not (course / MANIFEST).exists()


@pytest.mark.parametrize("obstacle", ["mine", "mine/notebooks", f"mine/{LESSON}"])
def test_a_folder_that_is_not_writable_is_reported_with_a_way_out(course, folder, tmp_path, obstacle):
    blocked = tmp_path / obstacle
    blocked.parent.mkdir(parents=True, exist_ok=True)
    if obstacle.endswith(".ipynb"):
        blocked.mkdir()
    else:
        blocked.write_text("a file in place of a folder")
    with pytest.raises(WorkspaceError, match="--folder") as caught:
        prepare(folder, course)
    assert str(folder) in str(caught.value)


def test_the_start_page_is_opened_or_else_the_first_notebook_by_name(course):
    (course / "notebooks/01_later.ipynb").write_text("")
    assert workspace.start_page(course) == LESSON
    (course / "notebooks/start.ipynb").write_text("")
    assert workspace.start_page(course) == "notebooks/start.ipynb"


def test_a_course_without_notebooks_is_reported_as_empty(tmp_path):
    (tmp_path / "notebooks").mkdir()
    with pytest.raises(WorkspaceError, match=r"no notebook in .*pip install"):
        workspace.start_page(tmp_path)


def test_a_missing_course_is_reported_with_the_folders_searched(tmp_path, monkeypatch):
    monkeypatch.setattr(workspace, "PACKAGE", tmp_path / "kvmmmu_lab")
    with pytest.raises(WorkspaceError, match="_course"):
        workspace.course_root()


def test_an_installed_course_takes_precedence_over_a_folder_beside_the_package(tmp_path, monkeypatch):
    monkeypatch.setattr(workspace, "PACKAGE", tmp_path / "kvmmmu_lab")
    (tmp_path / "notebooks").mkdir()
    assert workspace.course_root() == tmp_path
    (tmp_path / "kvmmmu_lab/_course/notebooks").mkdir(parents=True)
    assert workspace.course_root() == tmp_path / "kvmmmu_lab/_course"


def test_this_checkout_has_a_course_with_a_start_page():
    root = workspace.course_root()
    assert root == workspace.PACKAGE.parent
    assert workspace.start_page(root) == "notebooks/start.ipynb"


def fake_jupyterlab(monkeypatch):
    """Replace JupyterLab; return a list to which each start adds its options."""
    started = []

    class LabApp:
        @staticmethod
        def launch_instance(argv):
            started.append(argv)

    module = types.ModuleType("jupyterlab.labapp")
    module.LabApp = LabApp
    monkeypatch.setitem(sys.modules, "jupyterlab", types.ModuleType("jupyterlab"))
    monkeypatch.setitem(sys.modules, "jupyterlab.labapp", module)
    return started


def test_jupyterlab_opens_the_lesson_in_the_working_folder(folder, monkeypatch):
    started = fake_jupyterlab(monkeypatch)
    workspace.open_lab(folder, "notebooks/00 a#b.ipynb", browser=False, port=9000)
    (options,) = started
    assert f"--ServerApp.root_dir={folder}" in options
    assert "--LabApp.default_url=/lab/tree/notebooks/00%20a%23b.ipynb" in options
    assert "--no-browser" in options
    assert "--ServerApp.port=9000" in options


@pytest.mark.parametrize(("user", "allowed"), [(0, True), (1000, False)])
def test_only_root_gets_the_option_allow_root(folder, monkeypatch, user, allowed):
    started = fake_jupyterlab(monkeypatch)
    monkeypatch.setattr(workspace.os, "geteuid", lambda: user, raising=False)
    workspace.open_lab(folder, LESSON)
    assert ("--allow-root" in started[0]) is allowed


def test_without_jupyterlab_the_message_gives_the_extra_and_the_folder(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "jupyterlab", None)
    monkeypatch.setitem(sys.modules, "jupyterlab.labapp", None)
    with pytest.raises(WorkspaceError, match=r"\[lab\]") as caught:
        workspace.open_lab(folder, LESSON)
    assert str(folder) in str(caught.value)


def test_running_a_lesson_does_not_count_as_an_edit(tmp_path):
    folder = tmp_path / "mine"
    workspace.prepare(folder)
    (lesson,) = (folder / "notebooks").glob("00*.ipynb")
    notebook = json.loads(lesson.read_text(encoding="utf-8"))
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] == "code":
            cell |= {"execution_count": number, "outputs": [{"output_type": "stream", "name": "stdout", "text": "1"}]}
    lesson.write_text(json.dumps(notebook), encoding="utf-8")
    assert workspace.prepare(folder).kept == []
    assert json.loads(lesson.read_text(encoding="utf-8")) == notebook, "the outputs are kept"
    notebook["cells"][2]["source"] = "mine = 1"
    lesson.write_text(json.dumps(notebook), encoding="utf-8")
    assert workspace.prepare(folder).kept == [lesson.relative_to(folder).as_posix()]


def test_jupytext_writes_nothing_beside_a_learners_notebooks(tmp_path):
    """JupyterLab's jupytext extension writes a NAME.py on each save of a notebook whose metadata pair it with one."""
    jupytext = pytest.importorskip("jupytext")
    workspace.prepare(tmp_path)
    notebooks = sorted(tmp_path.rglob("*.ipynb"))
    sources = set(tmp_path.rglob("*.py"))
    contents = jupytext.TextFileContentsManager()
    contents.root_dir = str(tmp_path)
    for path in notebooks:
        name = path.relative_to(tmp_path).as_posix()
        contents.save(contents.get(name), name)
        metadata = json.loads(path.read_text("utf-8"))["metadata"]
        assert "formats" not in metadata.get("jupytext", {}), f"{name} is paired: delete `formats` from its header"
    assert len(notebooks) >= 15
    assert set(tmp_path.rglob("*.py")) == sources


@pytest.mark.skipif(not (ROOT / ".git").exists() or not shutil.which("git"), reason="no git checkout")
def test_git_never_sees_what_a_learner_did():
    def git(*arguments):
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True).stdout.splitlines()

    written = [PurePath(MANIFEST)]
    paths = [
        (folder / name).as_posix()
        for folder in (PurePath(), PurePath("exercises/01_split"), PurePath("mine"))
        for name in written
    ]
    assert git("check-ignore", "--no-index", *paths) == paths
    assert git("ls-files", "--", ":(glob)**/.kvmmmu-lab*") == []
