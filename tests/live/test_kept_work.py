# SPDX-License-Identifier: GPL-2.0-only
"""A learner's work in the browser's storage: it stays when the page is reloaded and when the course has a new version, it can
be downloaded as a zip that is graded, and uploaded in another browser.

The site is below a path, as on most servers.
"""

import csv
import io
import json
import shutil
import zipfile

import pytest

from kvmmmu_lab import workspace
from kvmmmu_lab.cli import main
from kvmmmu_lab.live.build import build_live
from kvmmmu_lab.work.work_zip import PROGRESS, ZIP_NAME
from kvmmmu_lab.workspace import MANIFEST

from ..exercises.solutions import right
from ..publish.books import code, saved, text
from .live_lab import LiveLab, text_of
from .small import small_course
from .static_server import serving

pytestmark = pytest.mark.slow

START = "notebooks/start.ipynb"
LESSON, OTHER = "notebooks/00_first.ipynb", "notebooks/06_second.ipynb"
EXERCISE = "exercises/04_rmap_add/rmap_add.py"
MINE = "mine = 'an edited notebook'"


def course(root):
    small_course(root)
    (root / START).write_bytes((workspace.course_root() / START).read_bytes())
    shutil.copytree(workspace.course_root() / "exercises" / "04_rmap_add", root / "exercises" / "04_rmap_add")
    return root


@pytest.fixture(scope="module")
def first_version(tmp_path_factory, pyodide, parts):
    """The folder ``courses``, as a server has it, with the course at ``kvm/live``."""
    courses = tmp_path_factory.mktemp("www") / "courses"
    build_live(course(tmp_path_factory.mktemp("course")), courses / "kvm" / "live", pyodide=str(pyodide), **parts)
    return courses


@pytest.fixture(scope="module")
def address(first_version):
    with serving(first_version.parent) as server:
        yield f"{server.address}/courses/kvm"


def new_learner(browser, address):
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    return LiveLab(context, address)


@pytest.fixture(scope="module")
def learner(browser, address):
    """A learner who has changed a lesson, solved an exercise, predicted something and run another lesson."""
    lab = new_learner(browser, address).open(OTHER)
    lab.run_all()
    lab.save()
    wait_until_files_are_ready(lab)
    lab.open(LESSON)
    lab.run(MINE)
    lab.save()
    solution = next(iter(right("04_rmap_add").values())).source
    lab.run(
        "from pathlib import Path; from kvmmmu_lab.progress import Progress\n"
        f"Path('/drive/{EXERCISE}').write_text({solution!r})\n"
        "Progress().predicted('6/recorded', 'no', right=False, late=False)"
    )
    lab.save()
    yield lab
    lab.context.close()


FILES = """async () => {
    const name = `JupyterLite Storage - ${location.pathname.replace(/lab\\/.*/, "")}`;
    const database = await new Promise((done, failed) => {
        const request = indexedDB.open(name);
        request.onsuccess = () => done(request.result);
        request.onerror = failed;
    });
    const store = database.transaction("files").objectStore("files");
    const read = (request) => new Promise((done) => { request.onsuccess = () => done(request.result); });
    const keys = await read(store.getAllKeys());
    const found = {};
    for (const key of keys) found[key] = (await read(store.get(key))).content;
    database.close();
    return found;
}"""


def stored(lab):
    """The files in the browser's storage, by path."""
    return lab.page.evaluate(FILES)


def wait_until_files_are_ready(lab):
    for _ in range(600):
        if MANIFEST in stored(lab):
            return
        lab.page.wait_for_timeout(100)
    raise AssertionError("no record of the course's version was stored")


def sources(lab):
    return lab.page.evaluate("[...jupyterapp.shell.currentWidget.content.model.cells].map((cell) => cell.sharedModel.source)")


def buttons(lab):
    """Open the start page, which runs by itself, and go to its end."""
    lab.open(START)
    wait_until_run(lab)
    lab.page.evaluate(f"{CONTENT}.scrollToItem({CONTENT}.widgets.length - 1, 'end')")  # JupyterLab renders what is in view
    lab.page.wait_for_selector("button:has-text('Upload my work')")
    return lab.page


CONTENT = "jupyterapp.shell.currentWidget.content"


def wait_until_run(lab):
    """Wait until each code cell of the open notebook has been run."""
    code = f"[...{CONTENT}.model.cells].filter((cell) => cell.type === 'code')"
    lab.page.wait_for_function(f"{code}.every((cell) => cell.executionCount && cell.executionState !== 'running')")


def said(page, words):
    page.wait_for_selector(f"[id^=kvmmmu-work]:has-text({json.dumps(words)})")
    return page.inner_text("[id^=kvmmmu-work]")


def downloaded(lab, path):
    page = buttons(lab)
    with page.expect_download() as download:
        page.click("button:has-text('Download my work')")
    assert download.value.suggested_filename == ZIP_NAME
    download.value.save_as(path)
    return path


def test_the_stored_record_is_the_one_that_is_kept_on_a_disk(learner, first_version, tmp_path):
    """The page computes no digest of its own kind: Python would find the same files changed."""
    record = stored(learner)[MANIFEST]
    known = (json.loads(record) if isinstance(record, str) else record)["files"]
    files = workspace.course_files(first_version / "kvm" / "live" / "files")
    assert known == {name: workspace.fingerprint(name, path.read_bytes()) for name, path in files.items()}


def test_an_edited_notebook_is_there_after_a_reload(learner):
    learner.open(LESSON)
    assert MINE in sources(learner)
    assert text_of(learner.run(f"open('/drive/{EXERCISE}').read()[:40]")) == repr(
        next(iter(right("04_rmap_add").values())).source[:40]
    )


def test_without_a_click_on_save_an_edit_is_soon_stored(learner):
    learner.open(OTHER)
    set_title = "(title) => jupyterapp.shell.currentWidget.content.model.cells.get(0).sharedModel.setSource(title)"
    learner.page.evaluate(set_title, "# My title")
    for _ in range(600):
        if "# My title" in json.dumps(stored(learner)[OTHER]):
            break
        learner.page.wait_for_timeout(100)
    else:
        raise AssertionError("not stored within a minute")
    learner.page.evaluate(set_title, "# Lesson 6: The second")
    learner.save()


def test_the_start_page_runs_by_itself_and_stays_at_its_top(browser, address):
    lab = new_learner(browser, address)
    try:
        for _ in range(2):  # also on a visit that finds the outputs of the first one
            lab.open(START)
            wait_until_run(lab)
            lab.page.wait_for_selector("td a:has-text('Lesson 0')")
            assert lab.page.evaluate(f"{CONTENT}.activeCellIndex") == 0
            lab.save()
        # what a learner has added is not run without being asked for
        lab.page.evaluate(f"void {CONTENT}.model.sharedModel.addCell({{ cell_type: 'code', source: 'mine = 1' }})")
        lab.save()
        lab.open(START)
        lab.page.wait_for_timeout(3000)
        assert text_of(lab.run("'mine' in globals(), 'course' in globals()")) == "(False, False)"
    finally:
        lab.context.close()


def test_the_start_page_says_where_the_work_is(learner):
    page = buttons(learner)
    page.locator("button:has-text('Upload my work')").scroll_into_view_if_needed()
    page.wait_for_selector("h2:has-text('Your work is in this browser')")  # JupyterLab renders what is in view
    words = " ".join(page.inner_text(".jp-Notebook").split())
    assert "in this browser, on this computer" in words and "private window" in words and "clear the browser's data" in words
    assert "In a terminal" not in words


def test_the_download_is_a_zip_that_is_graded(learner, tmp_path):
    (tmp_path / "class").mkdir()
    path = downloaded(learner, tmp_path / "class" / "ada.zip")
    assert "2 files that you have changed or added and your progress" in said(learner.page, "your progress")
    archive = zipfile.ZipFile(path)
    assert set(archive.namelist()) == {MANIFEST, PROGRESS, EXERCISE, LESSON}
    assert "6/recorded" in json.loads(archive.read(PROGRESS))["predictions"]
    report = tmp_path / "report"
    assert main(["grade", str(path.parent), "--exercise", "04_rmap_add", "--out", str(report), "--jobs", "1"]) == 0
    (row,) = csv.DictReader((report / "gradebook.csv").read_text("utf-8-sig").splitlines())
    assert row["learner"] == "ada" and row["points"] == "10"


def test_a_fresh_browser_gets_the_work_by_an_upload(learner, browser, address, tmp_path):
    path = downloaded(learner, tmp_path / ZIP_NAME)
    other = new_learner(browser, address)
    try:
        page = buttons(other)
        page.set_input_files("input[type=file]", path)
        words = said(page, "restored")
        assert "2 files restored" in words and "Progress from the zip was added to yours." in words
        other.open(LESSON)
        assert MINE in sources(other)
        there = "from kvmmmu_lab.progress import Progress; list(Progress().predictions)"
        assert text_of(other.run(there)) == "['6/recorded']"
        assert stored(other)[EXERCISE] == stored(learner)[EXERCISE]
        # what was changed here is not replaced
        other.run("newer = 1")
        other.save()
        page = buttons(other)
        page.set_input_files("input[type=file]", path)
        words = said(page, "not replaced")
        assert f"{LESSON} → 00_first.uploaded.ipynb" in words
        assert "newer = 1" in json.dumps(stored(other)[LESSON])
        assert "newer = 1" not in json.dumps(stored(other)["notebooks/00_first.uploaded.ipynb"])
    finally:
        other.context.close()


def test_a_file_that_is_no_zip_of_this_course_is_refused_in_a_sentence(learner, tmp_path):
    page = buttons(learner)
    before = stored(learner)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("../../evil.py", "x")
    for name, content, words in [
        ("photo.zip", b"not a zip at all", "photo.zip: not a zip; expected a zip that the live course has made"),
        ("cut.zip", buffer.getvalue()[:-20], "cut.zip: a damaged zip"),
        ("foreign.zip", buffer.getvalue(), "foreign.zip: a zip without .kvmmmu-lab.json"),
    ]:
        page.set_input_files("input[type=file]", {"name": name, "mimeType": "application/zip", "buffer": content})
        assert said(page, words).startswith("Nothing was uploaded.")
    after = stored(learner)
    after.pop(START, None), before.pop(START, None)
    assert after == before


def test_a_new_version_leaves_what_was_changed_and_updates_the_rest(learner, first_version, tmp_path, pyodide, parts):
    changed = course(tmp_path / "course")
    saved(changed / "notebooks", text("# Lesson 0: The first, second edition"), code("1 + 1"), name="00_first.ipynb")
    saved(changed / "notebooks", text("# Lesson 6: The second"), code("'of the new version'"), name="06_second.ipynb")
    (changed / EXERCISE).write_text("# of the new version\n")
    build_live(changed, first_version / "kvm" / "live", pyodide=str(pyodide), **parts)

    learner.open(OTHER)  # it was only run
    assert text_of(learner.run_all()[-1]) == "'of the new version'"
    learner.open(LESSON)
    assert MINE in sources(learner)
    files = stored(learner)
    assert "second edition" in json.dumps(files["notebooks/00_first.new.ipynb"])
    assert files["exercises/04_rmap_add/rmap_add.new.py"] == "# of the new version\n"
    assert "of the new version" not in files[EXERCISE]
    # a version that was deleted is not offered again
    learner.page.evaluate("jupyterapp.serviceManager.contents.delete('notebooks/00_first.new.ipynb')")
    learner.open(LESSON)
    assert "notebooks/00_first.new.ipynb" not in stored(learner)
