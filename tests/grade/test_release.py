# SPDX-License-Identifier: GPL-2.0-only
"""The learners' kit has what learners need and nothing else, and checks with the course's points, rules and seed."""

import json
import os
import re
import subprocess
import sys
import venv
from email.message import Message
from pathlib import Path

import pytest

from kvmmmu_lab import exercises, workspace
from kvmmmu_lab.cli import main
from kvmmmu_lab.course_settings import CourseSettings, of_text, read
from kvmmmu_lab.errors import InputError, LabError
from kvmmmu_lab.grade.learner_project import FOR_AUTHORS, learner_project, of_metadata
from kvmmmu_lab.grade.release import Release, example_course

from ..exercises import solutions
from ..exercises.checking import ROOT

COURSE = """
title = "Operating systems"
seed = 7
exercises = ["split", "rmap_add"]
[points.rmap_add]
fifth = 5
engine = 0
[extra]
rmap_add = ["random", "form"]
[grading]
seed = 99
"""


@pytest.fixture(scope="module")
def whole():
    return Release(CourseSettings())


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    path = tmp_path_factory.mktemp("course") / "mine.toml"
    path.write_text(COURSE, "utf-8")
    return path


@pytest.fixture(scope="module")
def small(course):
    return Release(read(course))


@pytest.fixture(scope="module")
def kit(small, tmp_path_factory):
    """The kit of a course, in a folder."""
    out = tmp_path_factory.mktemp("release") / "KIT"
    small.write(out)
    return out


def run_in(kit, *arguments, **environment):
    """Run the command from a kit, without installing it."""
    code = "import sys; sys.path.insert(0, sys.argv.pop(1)); from kvmmmu_lab.cli import main; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", code, str(kit), *map(str, arguments)],
        cwd=kit.parent,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment},
    )


# What is in it


def test_a_kit_has_the_package_the_lessons_and_the_exercises(whole):
    names = set(whole.files)
    assert {"README.md", "LICENSE", "pyproject.toml", "kvmmmu_lab/cli.py", "kvmmmu_lab/data/golden/rmap.jsonl.gz"} <= names
    assert {"notebooks/start.ipynb", "notebooks/06_reverse_maps.ipynb", "notebooks/hierarchy.svg"} <= names
    for folder in exercises.folders(ROOT):
        name = folder.name[3:]
        own = {"README.md", "hints.md", f"{name}.py", f"test_{name}.py", f"{name}.ipynb"}
        assert {f"exercises/{folder.name}/{one}" for one in own} <= names
    assert whole.files["LICENSE"] == (ROOT / "LICENSE").read_bytes()


def test_a_kit_has_nothing_of_the_instructors(whole):
    tops = {name.partition("/")[0] for name in whole.files}
    assert tops == {".gitignore", "LICENSE", "README.md", "pyproject.toml", "kvmmmu_lab", "notebooks", "exercises"}
    assert not [name for name in whole.files if "__pycache__" in name or name.endswith(".pyc") or "_course" in name]
    assert not [name for name in whole.files if name.startswith("notebooks/") and name.endswith(".py")]
    assert "exercises/course.toml" not in whole.files  # the course is the usual one
    text = whole.files["README.md"].decode() + whole.files["pyproject.toml"].decode()
    assert not re.search(r"\btests?\]|pytest -n|mutation", text)


def test_notebooks_have_neither_outputs_nor_notes_for_teachers(whole):
    books = {name: json.loads(text) for name, text in whole.files.items() if name.endswith(".ipynb")}
    assert len(books) > 25
    for name, book in books.items():
        assert not [cell for cell in book["cells"] if cell.get("outputs") or cell.get("execution_count")], name
        assert "*For teachers" not in whole.files[name].decode(), name
    before = json.loads((ROOT / "notebooks" / "06_reverse_maps.ipynb").read_text("utf-8"))
    assert len(books["notebooks/06_reverse_maps.ipynb"]["cells"]) == len(before["cells"]) - 1


def test_outputs_of_an_executed_notebook_are_removed(tmp_path, monkeypatch):
    root = course_copy(tmp_path, "01_split")
    path = root / "exercises" / "01_split" / "split.ipynb"
    book = json.loads(path.read_text("utf-8"))
    for cell in book["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [{"output_type": "stream", "name": "stdout", "text": ["12 of 12"]}], 3
    path.write_text(json.dumps(book), "utf-8")
    monkeypatch.setattr(workspace, "course_root", lambda: root)
    assert b"12 of 12" not in Release(CourseSettings()).files["exercises/01_split/split.ipynb"]


def course_copy(folder, *names):
    """A course with these exercises, in a folder."""
    for name in names:
        target = folder / "exercises" / name
        target.mkdir(parents=True)
        for path in (ROOT / "exercises" / name).iterdir():
            if path.is_file():
                (target / path.name).write_bytes(path.read_bytes())
    (folder / "notebooks").mkdir()
    (folder / "notebooks" / "start.ipynb").write_bytes((ROOT / "notebooks" / "start.ipynb").read_bytes())
    return folder


def test_the_same_course_gives_the_same_files(course, small):
    again = Release(read(course))
    assert list(again.files.items()) == list(small.files.items())


# A course of one's own


def test_a_course_has_its_exercises_and_every_link_has_a_target(small):
    names = {name.split("/")[1] for name in small.files if name.startswith("exercises/")}
    assert names == {"01_split", "04_rmap_add", "README.md", "course.toml"}
    folders = {str(Path(name).parent) for name in small.files} | set(small.files)
    found = 0
    for name, content in small.files.items():
        if name.startswith(("exercises/", "notebooks/", "README")) and name.endswith((".md", ".ipynb")):
            for link in re.findall(r"\]\((?!https?:|#|attachment:)([^)#\\\s]+)\)", content.decode()):
                target = os.path.normpath(os.path.join(os.path.dirname(name), link))
                assert target in folders, f"{name}: {link}"
                found += 1
    assert found > 40
    assert "exercise 05" in small.files["notebooks/06_reverse_maps.ipynb"].decode().replace("\\n", " ").replace('",\n    "', "")


def test_the_tables_of_points_are_those_of_the_course(small):
    text = small.files["exercises/04_rmap_add/README.md"].decode()
    for row in ("| fifth | 5 |", "| engine | 0 |", "| random | 1 extra |", "| form | 2 extra |", "| first | 1 |"):
        assert row in text
    assert "[04 Reverse maps, add](exercises/04_rmap_add/README.md) | 11, and 3 extra |" in small.files["README.md"].decode()
    assert small.files["README.md"].startswith(b"# Operating systems\n")
    original = (ROOT / "exercises" / "01_split" / "README.md").read_bytes()
    assert small.files["exercises/01_split/README.md"] == original


def test_what_only_the_grader_uses_is_not_in_it(small):
    text = small.files["exercises/course.toml"].decode()
    assert "seed = 7" in text and "99" not in text and "grading" not in text


@pytest.mark.slow
def test_a_check_in_the_kit_uses_the_courses_points_and_seed(kit):
    mine = kit.parent / "mine.py"
    mine.write_text(solutions.right("04_rmap_add")["pairs"].source, "utf-8")
    done = run_in(kit, "check", "rmap_add", mine, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert (report["points"], report["of"], report["extra"]) == (11, 11, 1)
    assert {rule["rule"]: rule["of"] for rule in report["rules"]}["fifth"] == 5
    code = "import sys; sys.path.insert(0, sys.argv[1])\nfrom kvmmmu_lab import exercises, workspace\n"
    code += "print(exercises.find('split', workspace.course_root()).seed, workspace.course_root())"
    said = subprocess.run([sys.executable, "-c", code, str(kit)], cwd=kit.parent, capture_output=True, text=True).stdout
    assert said.split() == ["7", str(kit)]


def test_the_start_page_lists_the_exercises_of_the_course(kit, tmp_path):
    done = run_in(kit, "progress", KVMMMU_LAB_DATA=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "Exercise 04" in done.stdout and "Exercise 05" not in done.stdout


@pytest.mark.slow
def test_a_kit_can_grade_and_be_released_again(kit, tmp_path):
    folder = tmp_path / "submissions" / "ada"
    folder.mkdir(parents=True)
    (folder / "split.py").write_text(solutions.right("01_split")["shifts"].source, "utf-8")
    done = run_in(kit, "grade", folder.parent, "--out", tmp_path / "report", "--jobs", "1")
    assert done.returncode == 0 and "1 not handed in, 1 passed" in done.stdout, done.stdout + done.stderr
    done = run_in(kit, "release", "--out", tmp_path / "again")
    assert done.returncode == 0, done.stdout + done.stderr

    def content(folder):
        return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    assert content(kit) == content(tmp_path / "again")


def test_the_printed_example_is_the_kits_own_course():
    every = [exercises.load(folder) for folder in exercises.folders(ROOT)]
    settings = of_text(example_course(every), "example")
    exercises.check_settings(settings, ROOT)
    assert settings.exercises == tuple(one.name for one in every)
    for one in every:
        again = exercises.load(one.folder, settings)
        assert [(rule.points, rule.extra) for rule in again.rules] == [(rule.points, rule.extra) for rule in one.rules]


# Its project file


def test_the_project_file_is_that_of_the_kit_without_the_tools():
    project = learner_project()
    text = project.text
    assert 'requires-python = ">=3.10"' in text and 'license = "GPL-2.0-only"' in text
    assert not any(f"\n{name} = [" in text for name in FOR_AUTHORS)
    found = of_text_project(text)
    theirs = of_text_project((ROOT / "pyproject.toml").read_text("utf-8"))
    for key in ("name", "version", "description", "dependencies", "scripts", "entry-points"):
        assert found["project"][key] == theirs["project"][key]
    assert found["project"]["optional-dependencies"]["lab"] == theirs["project"]["optional-dependencies"]["lab"]
    assert found["tool"]["hatch"] == theirs["tool"]["hatch"] and found["build-system"] == theirs["build-system"]


def of_text_project(text):
    from kvmmmu_lab.course_settings import parsed

    return parsed(text, "pyproject.toml")


def test_the_project_of_an_installed_kit_is_read_from_its_metadata():
    message = Message()
    for name, value in (
        ("Version", "1.2"),
        ("Summary", "A lab"),
        ("Requires-Python", ">=3.10"),
        ("Provides-Extra", "lab"),
        ("Requires-Dist", "numpy>=2.0"),
        ("Requires-Dist", "six; python_version < '3'"),
        ("Requires-Dist", "pytest>=8.2; extra == 'lab'"),
        ("Requires-Dist", "tomli>=2.0; (python_version < '3.11') and extra == 'lab'"),
    ):
        message[name] = value
    project = of_metadata(message)
    assert project.needed == ("numpy>=2.0", "six; python_version < '3'")
    assert project.extras == {"lab": ("pytest>=8.2", "tomli>=2.0; python_version < '3.11'")}
    assert 'version = "1.2"' in project.text


# Where it is written


@pytest.mark.parametrize("there", ["a file in it", "a file", "a link"])
def test_what_is_there_is_not_overwritten(there, small, tmp_path, capsys):
    out = tmp_path / "KIT"
    if there == "a file":
        out.write_text("mine")
    elif there == "a link":
        (tmp_path / "else").mkdir()
        out.symlink_to(tmp_path / "else")
    else:
        out.mkdir()
        (out / "mine").write_text("mine")
    before = sorted(os.listdir(tmp_path))
    assert main(["release", "--out", str(out)]) == 1
    assert f"out is '{out}'; expected a new or an empty folder" in capsys.readouterr().err
    assert sorted(os.listdir(tmp_path)) == before


def test_an_empty_folder_is_filled(small, tmp_path):
    (tmp_path / "KIT").mkdir()
    small.write(tmp_path / "KIT")
    assert (tmp_path / "KIT" / "LICENSE").is_file() and os.listdir(tmp_path) == ["KIT"]


def test_a_kit_is_not_written_into_the_kit(small):
    with pytest.raises(InputError, match="since all in it is released"):
        small.write(workspace.PACKAGE / "KIT")


def test_a_folder_that_cannot_be_made_is_named(small, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LabError, match=r"can't be written to .* \(.*\); choose another folder with --out"):
        small.write(tmp_path / "file" / "x" / "KIT")


def test_a_full_disk_leaves_nothing_behind(small, tmp_path, monkeypatch):
    def fails(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kvmmmu_lab.grade.release.os.replace", fails)
    with pytest.raises(LabError, match="No space left on device"):
        small.write(tmp_path / "KIT")
    assert os.listdir(tmp_path) == []


@pytest.mark.slow
def test_the_command_says_where_the_kit_is_and_how_to_install_it(course, tmp_path, capsys, monkeypatch):
    assert main(["release", "--out", str(tmp_path / "KIT"), "--course", str(course)]) == 0
    said = capsys.readouterr().out
    assert f"The kit for learners is in {tmp_path / 'KIT'}: " in said and f'pip install "{tmp_path / "KIT"}[lab]"' in said
    assert main(["release", "--out", str(tmp_path / "KIT"), "--course", str(course), "--check"]) == 0
    monkeypatch.chdir(tmp_path)
    assert main(["release", "--out", "OTHER", "--course", str(course)]) == 0
    assert f'pip install ".{os.sep}OTHER[lab]"' in capsys.readouterr().out
    assert main(["release"]) == 1
    assert "expected the folder of the kit: --out KIT" in capsys.readouterr().err
    assert main(["release", "--check", "--out", "NOWHERE", "--course", str(course)]) == 0
    assert "There is no kit in NOWHERE" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.whole
def test_an_installed_kit_checks_and_an_installed_checkout_releases_the_same(kit, course, tmp_path):
    """``pip install ./KIT[lab]``; and the instructor's wheel makes the same kit, but for the project file."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    mine = tmp_path / "mine.py"
    mine.write_text(solutions.right("04_rmap_add")["pairs"].source, "utf-8")
    programs = {}
    for name, requirement in (("learner", f"{kit}[lab]"), ("instructor", f"{wheel}[lab]")):
        venv.create(tmp_path / name, with_pip=True)
        programs[name] = tmp_path / name / ("Scripts" if os.name == "nt" else "bin")
        subprocess.run([programs[name] / "python", "-m", "pip", "install", "-q", requirement], check=True, cwd=tmp_path)
    environment = {**os.environ, "HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
    environment.pop("PYTHONPATH", None)

    def run(name, *arguments):
        command = [programs[name] / "kvmmmu-lab", *map(str, arguments)]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    done = run("learner", "check", "rmap_add", mine, "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["of"] == 11, done.stdout + done.stderr
    done = run("instructor", "release", "--out", tmp_path / "KIT", "--course", course)
    assert done.returncode == 0, done.stdout + done.stderr
    for path in kit.rglob("*"):
        other = tmp_path / "KIT" / path.relative_to(kit)
        assert not path.is_file() or path.name == "pyproject.toml" or other.read_bytes() == path.read_bytes(), path
    stub = next((tmp_path / "instructor").rglob("_course/exercises/01_split/split.py"))
    stub.write_text(stub.read_text("utf-8") + "\nWIDTH = 9\n", "utf-8")
    done = run("instructor", "release", "--check")
    assert done.returncode == 1
    assert "exercises/01_split/split.py:1: its code differs from the stub in the installed wheel" in done.stdout
