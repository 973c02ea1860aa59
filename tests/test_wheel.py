# SPDX-License-Identifier: GPL-2.0-only
"""The wheel contains the package and the course, and works in an empty environment."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
import venv
import zipfile
from pathlib import Path

import pytest

from kvmmmu_lab.player.page import read_film

from .exercises import solutions

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built offline by the backend that pip calls."""
    target = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = target.glob("*.whl")
    return built


def course_files():
    return {
        path.relative_to(ROOT).as_posix()
        for part in ("notebooks", "exercises")
        for path in (ROOT / part).rglob("*")
        if path.is_file() and not {"__pycache__", ".ipynb_checkpoints"} & {*path.parts}
    }


def test_the_wheel_has_the_package_and_the_course_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert "kvmmmu_lab/cli.py" in names
    assert {f"kvmmmu_lab/_course/{name}" for name in course_files()} == {
        name for name in names if name.startswith("kvmmmu_lab/_course/")
    }
    assert any(re.fullmatch(r"kvmmmu_lab/_course/notebooks/00.*\.ipynb", name) for name in names)
    assert {name.partition("/")[0] for name in names} == {"kvmmmu_lab", "kvmmmu_lab-0.1.0.dist-info"}


def test_the_wheel_names_its_licence(wheel):
    archive = zipfile.ZipFile(wheel)
    metadata = archive.read("kvmmmu_lab-0.1.0.dist-info/METADATA").decode()
    assert "License-Expression: GPL-2.0-only\n" in metadata
    assert archive.read("kvmmmu_lab-0.1.0.dist-info/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()


class Installed:
    """The wheel, installed in a new virtual environment away from the checkout."""

    def __init__(self, folder, requirement):
        venv.create(folder / "venv", with_pip=True)
        self.programs = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
        self.away = folder / "away"
        self.away.mkdir()
        # a new user: nothing that this computer has kept, such as the random scenarios of earlier checks
        others = ("PYTHONPATH", "KVMMMU_LAB_CACHE", "KVMMMU_LAB_DATA", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")
        self.environment = {name: value for name, value in os.environ.items() if name not in others}
        self.environment |= {"HOME": str(self.away), "USERPROFILE": str(self.away), "JUPYTER_TOKEN": "t"}
        self.run("python", "-m", "pip", "install", "-q", requirement, check=True)

    def run(self, program, *arguments, check=False):
        command = [str(self.programs / program), *arguments]
        done = subprocess.run(command, cwd=self.away, env=self.environment, capture_output=True, text=True)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done


@pytest.fixture(scope="module")
def bare(wheel, tmp_path_factory):
    """The wheel, installed with numpy and nothing else."""
    return Installed(tmp_path_factory.mktemp("bare"), str(wheel))


@pytest.fixture(scope="module")
def full(wheel, tmp_path_factory):
    """The wheel, installed with the extra ``lab``."""
    return Installed(tmp_path_factory.mktemp("full"), f"{wheel}[lab]")


@pytest.mark.slow
def test_without_extras_the_doctor_misses_the_lab_and_nothing_else(bare):
    done = bare.run("kvmmmu-lab", "doctor", "--json")
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    assert {found["name"] for found in report["checks"] if found["needed"] and not found["ok"]} == {
        "jupyterlab",
        "ipywidgets",
    }


@pytest.mark.slow
def test_without_extras_the_course_is_copied_and_the_extra_is_named(bare):
    done = bare.run("kvmmmu-lab")
    assert done.returncode == 1
    assert "kvmmmu-lab[lab]" in done.stderr
    assert "Traceback" not in done.stderr
    copied = {path.relative_to(bare.away / "kvmmmu-lab").as_posix() for path in (bare.away / "kvmmmu-lab").rglob("*")}
    assert {name for name in course_files() if name.endswith((".ipynb", ".svg", ".md"))} <= copied


@pytest.mark.slow
def test_without_extras_the_engine_is_verified_against_the_kernel(bare):
    golden = ROOT / "kvmmmu_lab" / "data" / "golden" / "directed.jsonl.gz"
    done = bare.run("kvmmmu-lab", "verify", "--json", str(golden))
    assert done.returncode == 0, done.stdout + done.stderr
    (report,) = json.loads(done.stdout)["reports"]
    assert report["compared"]["scenarios"] == 22 and not report["difference_count"]


FILM = """
from kvmmmu_lab import open_guest
from kvmmmu_lab.labs import fault_lab, hierarchy, watch
vm = open_guest("lin64_A").vm()
film = watch(lambda: vm.access(0x400000, user=True), vm, [0x400000])
print(film, fault_lab().go(), hierarchy(vm, 0x400000))
print(film.save("film.html")) if SAVE else None
"""


@pytest.mark.slow
def test_without_extras_films_pictures_and_labs_are_text(bare):
    done = bare.run("python", "-c", FILM.replace("SAVE", "False"))
    assert done.returncode == 0, done.stderr
    assert "set_pte_common(), mmu.c:954-1000" in done.stdout and "shadow L4 #251" in done.stdout


@pytest.mark.slow
def test_with_the_extra_a_film_is_saved_as_a_page(full):
    done = full.run("python", "-c", FILM.replace("SAVE", "True"))
    assert done.returncode == 0, done.stderr
    film = read_film((full.away / "film.html").read_text("utf-8"))
    assert film is not None and film.data["chapters"] and "data:image/svg+xml" in film.still


@pytest.mark.slow
def test_without_extras_a_check_says_what_it_needs(bare):
    (bare.away / "mine.py").write_text(solutions.right("04_rmap_add")["linked"].source, "utf-8")
    done = bare.run("kvmmmu-lab", "check", "rmap_add", "mine.py")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "exercises need hypothesis" in done.stderr and "kvmmmu-lab[lab]" in done.stderr


@pytest.mark.slow
def test_with_the_extra_exercises_are_checked_with_golden_operations_and_a_boot(full):
    (solution, *_) = sorted((ROOT / "tests" / "exercises" / "08_pre_write" / "right").glob("*.py"))
    done = full.run("kvmmmu-lab", "check", "pre_write", str(solution), "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["points"] == report["of"] and all(rule["status"] == "passed" for rule in report["rules"])


@pytest.mark.slow
def test_with_the_extra_the_doctor_finds_everything(full):
    done = full.run("kvmmmu-lab", "doctor", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {"graphviz", "graphviz-pure"} <= {found["name"] for found in json.loads(done.stdout)["checks"] if found["ok"]}


@pytest.mark.slow
def test_with_the_extra_jupyterlab_serves_the_start_page_from_the_working_folder(full):
    command = [str(full.programs / "kvmmmu-lab"), "--no-browser", "--folder", str(full.away / "mine")]
    with subprocess.Popen(
        command, cwd=full.away, env=full.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            said = iter(process.stdout.readline, "")
            pattern = r"(http://127\.0\.0\.1:\d+)/lab/tree/(notebooks/start\.ipynb)"
            found = next(filter(None, (re.search(pattern, line) for line in said)), None)
            assert found, f"JupyterLab printed no address; it exited with status {process.wait(30)}"
            address, lesson = found.groups()
            assert b"<title>JupyterLab</title>" in served(f"{address}/lab/tree/{lesson}?token=t")
            assert json.loads(served(f"{address}/api/contents/{lesson}?token=t"))["type"] == "notebook"
        finally:
            process.terminate()
            process.communicate(timeout=30)


def served(address, patience=30):
    """Fetch a page from a server that may still be starting."""
    for _ in range(patience * 2):
        try:
            with urllib.request.urlopen(address, timeout=10) as page:
                return page.read()
        except urllib.error.HTTPError:
            raise
        except OSError:
            time.sleep(0.5)
    raise TimeoutError(address)
