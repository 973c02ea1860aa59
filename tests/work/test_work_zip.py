# SPDX-License-Identifier: GPL-2.0-only
"""A learner's work as a zip: what is in it, that it can be graded, and that an upload never replaces what was changed."""

import csv
import io
import json
import shutil
import zipfile

import pytest

from kvmmmu_lab import workspace
from kvmmmu_lab.cli import main
from kvmmmu_lab.errors import DataError
from kvmmmu_lab.progress import Progress
from kvmmmu_lab.work.work_zip import PROGRESS, changed_files, pack, restore
from kvmmmu_lab.workspace import MANIFEST, prepare

from ..exercises.solutions import right
from ..publish.books import code, saved

EXERCISE = "exercises/04_rmap_add/rmap_add.py"
LESSON = "notebooks/00_first.ipynb"


@pytest.fixture
def course(tmp_path):
    """The root of a course with a lesson and an exercise."""
    root = tmp_path / "course"
    (root / "notebooks").mkdir(parents=True)
    saved(root / "notebooks", code("1 + 1"), name="00_first.ipynb")
    shutil.copytree(workspace.course_root() / "exercises" / "04_rmap_add", root / "exercises" / "04_rmap_add")
    return root


@pytest.fixture
def place(tmp_path, course):
    """A function that makes a working folder, with progress of its own."""

    def made(name):
        prepare(tmp_path / name, course)
        return tmp_path / name, Progress(tmp_path / f"progress of {name}")

    return made


def edit(folder, name, text):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


def zipped(**files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def names_in(content):
    return zipfile.ZipFile(io.BytesIO(content)).namelist()


def test_the_zip_has_what_was_changed_or_added_and_the_progress(place, course):
    folder, progress = place("mine")
    progress.points("rmap_add", 5)
    edit(folder, EXERCISE, "x = 1\n")
    edit(folder, "notes/plan.txt", "my plan")
    edit(folder, "exercises/04_rmap_add/__pycache__/x.pyc", "")
    edit(folder, "notebooks/.ipynb_checkpoints/00_first.ipynb", "")
    content, names = pack(folder, progress, course)
    assert names == [EXERCISE, "notes/plan.txt"] and names_in(content) == [MANIFEST, PROGRESS, *names]
    assert json.loads(zipfile.ZipFile(io.BytesIO(content)).read(PROGRESS))["exercises"]["rmap_add"]["best"] == 5


def test_a_notebook_that_was_only_run_is_not_changed(place, course):
    folder, progress = place("mine")
    book = json.loads((folder / LESSON).read_text())
    book["cells"][0].update(execution_count=3, outputs=[{"output_type": "stream", "name": "stdout", "text": "2"}])
    edit(folder, LESSON, json.dumps(book))
    assert pack(folder, progress, course)[1] == []
    book["cells"][0]["source"] = "1 + 2"
    edit(folder, LESSON, json.dumps(book))
    assert pack(folder, progress, course)[1] == [LESSON]


def test_a_copy_of_an_older_course_is_not_changed(place, course):
    folder, _ = place("mine")
    edit(course, EXERCISE, "of the new version\n")
    assert changed_files(folder, course) == {}


@pytest.mark.parametrize("alone", [False, True], ids=["a class of one zip each", "the zip itself"])
def test_the_command_grade_takes_the_zip(place, course, tmp_path, alone):
    folder, progress = place("mine")
    edit(folder, EXERCISE, next(iter(right("04_rmap_add").values())).source)
    edit(folder, LESSON, "{}")
    (tmp_path / "class").mkdir()
    hand_in = tmp_path / "class" / "ada.zip"
    hand_in.write_bytes(pack(folder, progress, course)[0])
    report = tmp_path / "report"
    given = hand_in if alone else hand_in.parent
    assert main(["grade", str(given), "--exercise", "04_rmap_add", "--out", str(report), "--jobs", "1"]) == 0
    (row,) = csv.DictReader((report / "gradebook.csv").read_text("utf-8-sig").splitlines())
    assert row["learner"] == "ada" and row["points"] == "10"


def test_an_upload_into_a_fresh_folder_brings_everything_back(place, course):
    folder, progress = place("mine")
    edit(folder, EXERCISE, "x = 1\n")
    edit(folder, "notes/plan.txt", "my plan")
    progress.predicted("6/recorded", "no", right=False, late=False)
    progress.hint("rmap_add", 2)
    other, theirs = place("other")
    done = restore(pack(folder, progress, course)[0], "work.zip", other, theirs, course)
    assert sorted(done.restored) == [EXERCISE, "notes/plan.txt"] and done.progress and not (done.beside or done.left_out)
    assert (other / EXERCISE).read_text() == "x = 1\n" and (other / "notes/plan.txt").read_text() == "my plan"
    assert theirs.content() == progress.content()
    again = restore(pack(folder, progress, course)[0], "work.zip", other, theirs, course)
    assert again.same == done.restored and not (again.restored or again.beside or again.progress)


def test_what_was_changed_here_stays_and_the_uploaded_file_is_next_to_it(place, course):
    folder, progress = place("mine")
    edit(folder, EXERCISE, "old\n")
    content, _ = pack(folder, progress, course)
    edit(folder, EXERCISE, "newer\n")
    for _ in range(2):  # the second time changes nothing
        done = restore(content, "work.zip", folder, progress, course)
        assert done.beside == {EXERCISE: "exercises/04_rmap_add/rmap_add.uploaded.py"} and not done.restored
    assert (folder / EXERCISE).read_text() == "newer\n" and (folder / done.beside[EXERCISE]).read_text() == "old\n"
    edit(folder, done.beside[EXERCISE], "changed, too\n")
    assert restore(content, "work.zip", folder, progress, course).beside[EXERCISE].endswith("rmap_add.uploaded-2.py")


def test_progress_that_is_here_stays(place):
    _, ours = place("mine")
    _, theirs = place("other")
    ours.points("walk", 3)
    ours.predicted("0/pages", "3", right=True, late=False)
    theirs.points("walk", 2)
    theirs.points("split", 4)
    theirs.predicted("0/pages", "4", right=False, late=False)
    assert ours.merge(theirs.content()) == (True, True)
    assert [ours.get("walk", "best"), ours.get("split", "best")] == [3, 4] and ours.predictions["0/pages"]["choice"] == "3"
    assert ours.merge(theirs.content()) == (False, True)
    assert ours.merge(b'{"predictions": {"0/guess": 7}}') == (False, False)


def test_a_newer_course_is_noticed_for_work_that_began_with_an_older_one(place, course):
    folder, progress = place("mine")
    edit(folder, EXERCISE, "x = 1\n")
    content, _ = pack(folder, progress, course)
    edit(course, EXERCISE, "of the new version\n")
    other, theirs = place("other")
    assert restore(content, "work.zip", other, theirs, course).restored == [EXERCISE]
    assert prepare(other, course).beside == ["exercises/04_rmap_add/rmap_add.new.py"]


def test_the_folder_that_somebody_unpacked_and_packed_again_is_taken(place, course):
    folder, progress = place("mine")
    content = zipped(**{f"my work/{EXERCISE}": "x = 1\n", "__MACOSX/x": ""})
    assert restore(content, "work.zip", folder, progress, course).restored == [EXERCISE]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "work.zip: not a zip; expected a zip that the live course has made"),
        (b"hello", "work.zip: not a zip"),
        (zipped(**{EXERCISE: "x"})[:-30], "work.zip: a damaged zip"),
        (zipped(**{"holiday/1.jpg": "x", "2.jpg": "y"}), "without .kvmmmu-lab.json, notebooks/ and exercises/"),
        (zipped(**{"../../evil.py": "x", "/etc/passwd": "y"}), "without .kvmmmu-lab.json"),
        (b"PK" + bytes(64 << 20), "expected a zip of at most 67,108,864 bytes"),
    ],
)
def test_a_damaged_or_foreign_zip_is_refused_in_a_sentence(place, course, content, words):
    folder, progress = place("mine")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(DataError) as caught:
        restore(content, "work.zip", folder, progress, course)
    assert words in str(caught.value) and "\n" not in str(caught.value)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_file_that_is_damaged_in_the_zip_leaves_all_as_it_was(place, course):
    folder, progress = place("mine")
    content = zipped(**{EXERCISE: "first file", "exercises/04_rmap_add/other.py": "second file"}).replace(b"second", b"broken")
    with pytest.raises(DataError, match="other.py: damaged"):
        restore(content, "work.zip", folder, progress, course)
    assert (folder / EXERCISE).read_text() != "first file"


def test_names_that_lead_elsewhere_are_left_out_in_a_sentence(place, course, tmp_path):
    folder, progress = place("mine")
    content = zipped(**{"../evil.py": "x", "exercises/../../evil.py": "x", "notebooks/a:b.py": "x", EXERCISE: "x = 1\n"})
    done = restore(content, "work.zip", folder, progress, course)
    assert done.restored == [EXERCISE] and not list(tmp_path.glob("evil.py"))
    said = "; ".join(done.left_out)
    assert "../evil.py" in said and "the path leads out of the zip" in said and "notebooks/a:b.py" in said


def test_other_files_of_a_zip_without_the_record_are_left_out(place, course):
    folder, progress = place("mine")
    done = restore(zipped(**{EXERCISE: "x = 1\n", "big.bin": "x"}), "work.zip", folder, progress, course)
    assert done.restored == [EXERCISE] and done.left_out == ["left out: big.bin (neither in notebooks/ nor in exercises/)"]
