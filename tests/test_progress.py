# SPDX-License-Identifier: GPL-2.0-only
"""The learner's progress: what is kept, by several processes at once, in damaged files, and where nothing can be written."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kvmmmu_lab import progress
from kvmmmu_lab.progress import FILE, Progress


def test_points_and_predictions_are_kept(data_folder):
    Progress().points("rmap_add", 7)
    Progress().points("rmap_add", 5)
    Progress().hint("rmap_add", 2)
    Progress().hint("rmap_add", 1)
    assert [Progress().get("rmap_add", key) for key in ("best", "last", "hints", "other")] == [7, 5, 2, 0]
    Progress().predicted("6/recorded", "no", right=False, late=False)
    assert Progress().predictions == {"6/recorded": {"choice": "no", "right": False, "late": False}}
    assert json.loads((data_folder / FILE).read_text())["exercises"]["rmap_add"]["best"] == 7
    assert sorted(path.name for path in data_folder.iterdir() if path.suffix != ".lock") == [FILE]


def test_the_first_answer_counts():
    Progress().predicted("6/recorded", "no", right=False, late=False)
    Progress().predicted("6/recorded", "yes", right=True, late=False)
    assert Progress().predictions["6/recorded"]["choice"] == "no"


def test_everything_can_be_forgotten():
    kept = Progress()
    kept.points("walk", 3)
    kept.predicted("0/pages", "3", right=True, late=False)
    kept.reset()
    assert Progress().get("walk", "best") == 0 and Progress().predictions == {}


def test_several_processes_lose_nothing_of_each_other(data_folder):
    code = (
        "import sys; from kvmmmu_lab.progress import Progress; p = Progress()\n"
        "for n in range(10): p.predicted(f'{sys.argv[1]}/{n}', 'a', True, False)"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(number)]) for number in range(4)]
    assert [process.wait(60) for process in running] == [0] * 4
    assert len(Progress().predictions) == 40


@pytest.fixture
def told(monkeypatch, capsys):
    """A function that returns what was said on stderr, in lines."""
    monkeypatch.setattr(progress, "_told", set())
    return lambda: capsys.readouterr().err.splitlines()


def write(folder, text):
    folder.mkdir(exist_ok=True)
    (folder / FILE).write_bytes(text.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("text", ["{", "[]", "3", "\x00", "[" * 5000, "9" * 5000, '{"exercises": {"a": {"best": 1}}', "\ud800"])
def test_a_damaged_file_is_set_aside_before_a_new_one_is_written(data_folder, told, text):
    write(data_folder, text)
    assert Progress().get("rmap_add", "best") == 0
    (said,) = told()
    assert "is damaged and is set aside" in said and str(data_folder) in said and len(said) <= 300
    Progress().points("rmap_add", 4)
    assert Progress().get("rmap_add", "best") == 4 and told() == []
    assert (data_folder / FILE).with_suffix(".damaged").read_bytes() == text.encode("utf-8", "surrogatepass")


GOOD = '"walk": {"best": 10, "last": 3}'


@pytest.mark.parametrize(
    "row",
    ['{"hints": null}', '{"best": Infinity}', '{"best": "many"}', '{"best": true}', '{"best": 1, "x": NaN}', "3", "[]", "null"],
)
def test_one_damaged_row_is_left_out_and_the_others_stay(data_folder, told, row):
    before = f'{{"exercises": {{{GOOD}, "rmap_add": {row}}}, "badges": ["first"]}}'
    write(data_folder, before)
    assert [Progress().get(name, "best") for name in ("walk", "rmap_add")] == [10, 0]
    (said,) = told()
    assert "'rmap_add' of exercises is left out" in said
    Progress().points("split", 2)
    found = json.loads((data_folder / FILE).read_text())
    assert found["exercises"] == {"walk": {"best": 10, "last": 3}, "split": {"best": 2, "last": 2}}
    assert found["badges"] == ["first"], "what a newer version wrote"
    assert (data_folder / "progress.damaged").read_text() == before


def test_damaged_predictions_are_left_out(data_folder, told):
    rows = {"1/a": {"choice": "a", "right": True, "late": False}, "1/b": {"choice": 3, "right": True}, "1/c": {"right": "yes"}}
    write(data_folder, json.dumps({"exercises": 3, "predictions": rows}))
    assert Progress().predictions == {"1/a": rows["1/a"]}
    assert len(told()) == 3


def test_names_in_a_file_do_not_reach_the_terminal_as_they_are(data_folder, told):
    write(data_folder, json.dumps({"exercises": {"\x1b[2J\n\u202e": 3, "x" * 5000: 3}}))
    assert Progress().get("walk", "best") == 0
    said = told()
    assert len(said) == 2 and all(line.isprintable() and len(line) <= 300 for line in said)


def test_a_file_that_was_damaged_before_is_not_overwritten(data_folder, told):
    for text in ("{1", "{2", "{3"):
        write(data_folder, text)
        Progress().points("walk", 1)
    assert sorted(path.read_text() for path in data_folder.glob("progress.damaged*")) == ["{1", "{2", "{3"]


posix = pytest.mark.skipif(sys.platform == "win32", reason="named pipes and links of POSIX")
PIPE, FOLDER = getattr(os, "mkfifo", None), os.mkdir


def link(path):
    path.symlink_to("elsewhere")


@posix
@pytest.mark.parametrize("name", [FILE, "progress.lock"])
@pytest.mark.parametrize("make", [PIPE, FOLDER, link], ids=["pipe", "folder", "link"])
def test_what_is_no_file_is_left_alone_and_told(data_folder, told, name, make):
    data_folder.mkdir()
    (data_folder / "elsewhere").write_text("{}")
    make(data_folder / name)
    kept = Progress()
    kept.points("walk", 3)
    assert kept.get("walk", "best") == 3, "in this process"
    (said,) = told()
    assert "is not kept (" in said and "KVMMMU_LAB_DATA" in said
    assert (data_folder / "elsewhere").read_text() == "{}"


@posix
@pytest.mark.parametrize("make", [PIPE, link], ids=["pipe", "link"])
def test_what_waits_in_place_of_the_new_file_is_not_written_to(data_folder, told, make):
    data_folder.mkdir()
    make(data_folder / f".{FILE}.part")
    Progress().points("walk", 3)
    assert Progress().get("walk", "best") == 3 and told() == []
    assert {path.name for path in data_folder.iterdir()} <= {FILE, "progress.lock"}


def test_a_change_that_could_not_be_saved_is_saved_later(data_folder, told, monkeypatch):
    from filelock import FileLock

    monkeypatch.setattr(progress, "LOCK_SECONDS", 0.02)
    kept = Progress()
    data_folder.mkdir()
    with FileLock(data_folder / "progress.lock"):
        kept.points("walk", 3)
    assert Progress().get("walk", "best") == 0 and len(told()) == 1
    Progress().points("walk", 7)
    Progress().points("split", 1)
    kept.points("rmap_add", 2)
    assert [Progress().get(name, "best") for name in ("walk", "split", "rmap_add")] == [7, 1, 2]


def test_a_file_that_cannot_be_read_is_not_overwritten(data_folder, told, monkeypatch):
    write(data_folder, '{"exercises": {"walk": {"best": 10}}}' + " " * 100)
    monkeypatch.setattr(progress, "MOST_BYTES", 100)
    Progress().points("split", 1)
    assert "is not kept (" in told()[0] and '"best": 10' in (data_folder / FILE).read_text()


WATCH = """
import sys
from kvmmmu_lab.progress import Progress
watch, number = Progress(), sys.argv[1]
for line in sys.stdin:
    watch.get("walk", "best")
    watch.points(f"{line.strip()}/{number}", 7)
    print(flush=True)
"""


def rounds(count, processes, data_folder):
    """In each round, every process, which stays open like `watch`, notes the points of an exercise; all at once."""
    programs = [[sys.executable, "-c", WATCH, str(number)] for number in range(processes)]
    running = [subprocess.Popen(program, stdin=-1, stdout=-1, text=True) for program in programs]
    for number in range(count):
        for process in running:
            process.stdin.write(f"{number}\n")
            process.stdin.flush()
        Progress().predicted(f"{number}", "a", right=True, late=False)
        for process in running:
            process.stdout.readline()
    for process in running:
        process.communicate()
        assert process.returncode == 0
    found = json.loads((data_folder / FILE).read_text())
    assert found["exercises"].keys() == {f"{n}/{process}" for n in range(count) for process in range(processes)}
    assert found["predictions"].keys() == {str(n) for n in range(count)}


def test_an_open_watch_erases_nothing_that_others_write(data_folder):
    rounds(5, 2, data_folder)


@pytest.mark.slow
def test_watch_and_three_checks_at_once_lose_nothing_in_200_rounds(data_folder):
    rounds(200, 4, data_folder)


@posix
@pytest.mark.slow
def test_the_commands_watch_and_check_at_once_lose_nothing(tmp_path):
    """`watch` stays open and checks a file each time it is saved; meanwhile two other exercises are checked elsewhere."""
    from kvmmmu_lab.exercises import find
    from kvmmmu_lab.workspace import course_root, prepare

    prepare(tmp_path / "work")
    command = [sys.executable, "-m", "kvmmmu_lab"]
    tests = Path(__file__).parent / "exercises"
    names = {"split": "01_split/right/divmods.py", "rmap_add": "04_rmap_add/right/sets.py"}
    watched = tmp_path / "work" / "exercises" / "05_rmap_remove" / "rmap_remove.py"
    options = {"cwd": tmp_path / "work", "text": True, "stdout": -1, "stderr": -2}
    with subprocess.Popen([*command, "watch", "rmap_remove"], stdin=-1, **options) as watch:
        for turn in range(3):
            Progress().reset()
            watched.write_text(f"{watched.read_text()}\n# saved {turn}\n")
            for name, solution in names.items():
                path = tmp_path / "work" / "exercises" / find(name, course_root()).folder.name / f"{name}.py"
                path.write_text((tests / solution).read_text())
            checks = [subprocess.Popen([*command, "check", name], **options) for name in names]
            assert [process.communicate()[0] and process.returncode for process in checks] == [0, 0]
            end = time.monotonic() + 100
            while not {"split", "rmap_add", "rmap_remove"} <= known().keys() and time.monotonic() < end:
                time.sleep(0.05)
            assert known().keys() == {"split", "rmap_add", "rmap_remove"}
            assert [known()[name]["best"] == find(name, course_root()).points for name in names] == [True, True]
        watch.communicate("q\n")
        assert watch.returncode == 0


def known():
    """The rows of exercises in the file."""
    path = Progress().path
    return json.loads(path.read_text())["exercises"] if path.exists() else {}


@posix
@pytest.mark.slow
def test_a_process_that_is_killed_at_any_moment_leaves_whole_progress(data_folder):
    code = (
        "from kvmmmu_lab.progress import Progress; p = Progress(); n = p.get('walk', 'last')\n"
        "while True: n += 1; p.points('walk', n); print(n, flush=True)"
    )
    for delay in range(40):
        with subprocess.Popen([sys.executable, "-c", code], stdout=-1, text=True) as process:
            shown = [process.stdout.readline() for _ in range(1 + delay)]
            process.kill()
            shown += process.stdout.read().splitlines()
        last = int([line for line in shown if line.strip()][-1])
        assert json.loads((data_folder / FILE).read_text())["exercises"]["walk"]["last"] >= last
    assert {path.name for path in data_folder.iterdir()} <= {FILE, "progress.lock", f".{FILE}.part"}


def test_where_nothing_can_be_written_it_says_so_once_and_goes_on(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KVMMMU_LAB_DATA", str(tmp_path / "file" / "data"))  # nobody can make a folder in a file, root included
    kept = Progress()
    kept.points("walk", 3)
    kept.predicted("0/pages", "3", right=True, late=False)
    assert kept.get("walk", "best") == 3 and "0/pages" in kept.predictions, "in this process"
    Progress().points("walk", 4)
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "is not kept (" in said and "KVMMMU_LAB_DATA" in said


def test_without_its_libraries_it_says_how_to_get_them(monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, "filelock", None)
    monkeypatch.setattr(progress, "_told", set())
    kept = Progress(tmp_path)
    kept.points("walk", 3)
    assert kept.get("walk", "best") == 3
    assert 'pip install "kvmmmu-lab[lab]"' in capsys.readouterr().err
