# SPDX-License-Identifier: GPL-2.0-only
"""How the live course is put together; most of it without a browser and without a download."""

import io
import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from kvmmmu_lab.cli import _parser, main
from kvmmmu_lab.errors import InputError, LabError
from kvmmmu_lab.live import lite, versions, wheels
from kvmmmu_lab.live.build import LiveSite, build_live, graphviz_script
from kvmmmu_lab.live.lite import KERNEL, for_kernel
from kvmmmu_lab.live.lock import entry, missing, needed, pyodide_packages
from kvmmmu_lab.live.start_page import BUTTONS, code_of, live_start_page
from kvmmmu_lab.workspace import START, course_files, course_root

from .small import small_course

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    return wheels.kit_wheel(tmp_path_factory.mktemp("kit"))


def test_the_kits_wheel_has_its_code_its_data_and_the_course(kit):
    names = set(zipfile.ZipFile(kit).namelist())
    assert {"kvmmmu_lab/mmu/walk.py", "kvmmmu_lab/live/runtime.js", "kvmmmu_lab/data/golden/directed.jsonl.gz"} <= names
    assert {f"kvmmmu_lab/_course/{name}" for name in course_files(course_root())} <= names
    assert not any("__pycache__" in name or name.startswith("kvmmmu_lab/_course/_course") for name in names)


def test_the_same_kit_makes_the_same_wheel(kit, tmp_path):
    assert wheels.kit_wheel(tmp_path).read_bytes() == kit.read_bytes()


PACK = """
import sys
from pathlib import Path
from kvmmmu_lab.live.wheels import kit_wheel
print(kit_wheel(Path(sys.argv[1])))
"""


@pytest.mark.slow
def test_pip_installs_the_kits_wheel_and_a_wheel_of_that_is_the_same(kit, tmp_path):
    """Also from an installed kit, whose course is inside the package, comes the same wheel."""
    there = tmp_path / "there"
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", there, kit]
    subprocess.run(command, check=True)
    paths = [str(there), *(path for path in sys.path if path.endswith("site-packages"))]
    done = subprocess.run(
        [sys.executable, "-c", PACK, tmp_path],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    assert done.returncode == 0, done.stderr
    again = zipfile.ZipFile(done.stdout.strip())
    first = zipfile.ZipFile(kit)
    contents = {name: first.read(name) for name in first.namelist() if ".dist-info" not in name}
    assert {name: again.read(name) for name in again.namelist() if ".dist-info" not in name} == contents


def test_the_lock_file_says_what_a_wheel_provides(kit):
    found = entry(kit, "static/x/kit.whl", "kvmmmu-lab", versions.KIT_NEEDS)
    assert found["imports"] == ["kvmmmu_lab"] and found["file_name"] == "static/x/kit.whl" and len(found["sha256"]) == 64
    assert "numpy" in found["depends"]


PACKAGES = {
    "a_b": {"depends": ["c"]},
    "c": {"depends": ["A-B"]},
    "d": {"depends": ["lost"]},
}


def test_what_packages_need_is_found_whatever_the_spelling_of_their_names():
    assert needed(PACKAGES, ["A.b"]).keys() == {"a_b", "c"}
    assert missing(PACKAGES, ["a-b"]) == [] and missing(PACKAGES, ["d", "e"]) == ["e", "lost"]


def test_notebooks_are_for_the_kernel_in_the_browser_and_else_unchanged():
    for name, path in course_files(course_root()).items():
        if name.endswith(".ipynb"):
            before, after = json.loads(path.read_bytes()), json.loads(for_kernel(path.read_bytes()))
            assert after["metadata"].pop("kernelspec") == KERNEL
            before["metadata"].pop("kernelspec", None)
            assert after == before


DONE = """\
static:jupyter-lite.json:/srv/out
.  pre_archive:contents
No archive (yet): /srv/out/site.tgz
"""
TRACEBACK = """\
Traceback (most recent call last):
  File "/usr/lib/python3/site-packages/jupyterlite_core/app.py", line 1, in start
FileNotFoundError: [Errno 2] No such file or directory: 'jupyter'
No archive (yet): /srv/out/site.tgz
"""


@pytest.mark.parametrize(
    "status, output, errors, said",
    [
        (3, DONE, TRACEBACK, "exit status 3:\n  FileNotFoundError: [Errno 2] No such file or directory: 'jupyter'"),
        (
            1,
            DONE,
            "one\ntwo\n",
            "exit status 1:\n  .  pre_archive:contents\n  No archive (yet): /srv/out/site.tgz\n  one\n  two",
        ),
        (-9, "", "", "exit status -9"),
        (0, DONE, "", "without an error, but there is no {page}"),
    ],
)
def test_a_build_of_jupyterlite_that_fails_is_explained(tmp_path, monkeypatch, status, output, errors, said):
    monkeypatch.setattr(lite, "check_installed", lambda: None)
    done = subprocess.CompletedProcess([], status, output, errors)
    monkeypatch.setattr(lite.subprocess, "run", lambda *command, **options: done)
    with pytest.raises(LabError) as raised:
        lite.build_lite(tmp_path, tmp_path, [], tmp_path / "out", "runtime.js")
    assert str(raised.value).endswith(said.format(page=tmp_path / "out" / "lab" / "index.html"))


def test_the_summary_says_that_browsers_want_https(tmp_path):
    assert "only from an https: address or from localhost" in LiveSite(tmp_path, {}, 27_000_000).summary()


def test_the_live_start_page_says_first_that_its_cell_runs_by_itself():
    page = live_start_page((course_root() / START).read_bytes())
    cells = json.loads(page)["cells"]
    table = next(number for number, cell in enumerate(cells) if cell["cell_type"] == "code")
    assert "The cell below runs by itself" in "".join(cells[table - 1]["source"])
    words = " ".join("".join(cell["source"]) for cell in cells)
    assert "on this computer. In a terminal" not in words and "run the cell above" not in words
    assert code_of(page) == ["from kvmmmu_lab.lessons import course\n\ncourse()", BUTTONS]


def archive(path, **members):
    with tarfile.open(path, "w:gz") as file:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return path


def test_graphviz_is_found_in_its_archive_its_folder_and_by_itself(tmp_path):
    script = b"export class Graphviz {}\n"
    packed = archive(tmp_path / "package.tgz", **{"package/dist/index.js": script})
    (tmp_path / "package" / "dist").mkdir(parents=True)
    (tmp_path / "package" / "dist" / "index.js").write_bytes(script + b"//# sourceMappingURL=index.js.map")
    for path in (packed, tmp_path, tmp_path / "package", tmp_path / "package" / "dist" / "index.js"):
        assert graphviz_script(path) == script, path


def test_another_file_is_not_taken_for_graphviz(tmp_path):
    other = tmp_path / "other.js"
    other.write_text("hello")
    empty = archive(tmp_path / "other.tgz", readme=b"")
    (tmp_path / "folder").mkdir()
    for path in (other, empty, tmp_path / "folder", tmp_path / "nothing.js"):
        with pytest.raises(InputError, match="index.js|no such file"):
            graphviz_script(path)


def test_a_folder_without_pyodide_is_refused(tmp_path):
    with pytest.raises(InputError, match="has no pyodide.js, pyodide.asm.js"):
        pyodide_packages(tmp_path)


def test_another_pyodide_is_refused(tmp_path):
    for name in versions.CORE:
        (tmp_path / name).write_text("")
    (tmp_path / "pyodide-lock.json").write_text(json.dumps({"info": {"version": "0.29.1"}, "packages": {}}))
    with pytest.raises(InputError, match=r"Pyodide 0\.29\.1.*expected Pyodide 0\.27"):
        pyodide_packages(tmp_path)


def test_without_npm_the_message_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("KVMMMU_LAB_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(LabError, match="install npm.*--graphviz"):
        wheels.fetch_graphviz()


@pytest.mark.slow
def test_a_wheel_that_pip_cannot_get_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("KVMMMU_LAB_CACHE", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(LabError, match=r"pip can't fetch anywidget==0\.11\.0: .*anywidget"):
        wheels.fetch_wheels(versions.WHEELS[:1])


@pytest.mark.parametrize("options", [["--pyodide", "somewhere"], ["--graphviz", "package.tgz"]])
def test_options_of_the_live_course_alone_are_refused(options, tmp_path, capsys):
    assert main(["site", "--out", str(tmp_path), *options]) == 1
    assert "--live" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_what_is_missing_is_said_before_the_lessons_run(tmp_path, capsys, parts):
    assert main(["site", "--live", "--out", str(tmp_path / "out"), "--pyodide", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert "has no pyodide.js" in said.err and "Lesson" not in said.out


def test_the_workflow_runs_commands_that_there_are(tmp_path):
    """Of `.github/workflows/pages.yml`."""
    workflow = yaml.safe_load((ROOT / ".github/workflows/pages.yml").read_text("utf-8"))
    runs = [step["run"] for step in workflow["jobs"]["publish"]["steps"] if "run" in step]
    (install,) = [run for run in runs if run.startswith("pip install")]
    extras = re.search(r"\.\[(.*)\]", install)[1].split(",")
    assert set(extras) <= set(re.findall(r"(?m)^(\w+) = \[$", (ROOT / "pyproject.toml").read_text("utf-8")))
    (command,) = [run for run in runs if run.startswith("kvmmmu-lab")]
    options = _parser().parse_args(command.split()[1:])
    (upload,) = [step["with"]["path"] for step in workflow["jobs"]["publish"]["steps"] if "upload" in step.get("uses", "")]
    assert options.live and str(options.out) == upload


def test_a_folder_with_other_files_is_not_emptied(tmp_path, parts):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="a live course, which is replaced"):
        build_live(course_root(), tmp_path, pyodide="https://example.org/pyodide", **parts)
    assert (tmp_path / "thesis.txt").exists()


def test_each_wheel_has_all_that_it_says_it_needs(parts):
    """`versions` lists what the wheels need, since a browser asks no pip: nothing may be missing but front ends."""
    left_out = {"widgetsnbextension", "jupyterlab_widgets"}
    for wheel, path in zip(versions.WHEELS, wheels.fetch_wheels(versions.WHEELS).values(), strict=True):
        with zipfile.ZipFile(path) as file:
            (metadata,) = [name for name in file.namelist() if name.endswith(".dist-info/METADATA")]
            lines = file.read(metadata).decode().splitlines()
        requirements = [Requirement(line.partition(": ")[2]) for line in lines if line.startswith("Requires-Dist: ")]
        there = {"python_version": "3.12", "python_full_version": "3.12.7", "sys_platform": "emscripten", "extra": ""}
        wanted = {one.name.lower() for one in requirements if one.marker is None or one.marker.evaluate(there)}
        assert wanted - left_out <= set(wheel.needs), wheel.name


@pytest.mark.slow
def test_a_site_that_asks_nobody_has_all_that_its_lock_file_names(small_site):
    live = small_site / "live"
    (runtime,) = live.glob("static/*/runtime.js")
    settings = json.loads(runtime.read_text().splitlines()[0].removeprefix("self.kvmmmuSettings = ").rstrip(";"))
    lock = json.loads((live / "static/pyodide/pyodide-lock.json").read_text())
    for one in lock["packages"].values():
        assert (live / "static" / "pyodide" / one["file_name"]).is_file()
    for one in settings["packages"].values():
        assert (live / one["file_name"]).is_file()
    assert missing({**lock["packages"], **settings["packages"]}, versions.FIRST) == []
    assert "matplotlib" in lock["packages"] and "scipy" not in lock["packages"]


@pytest.mark.slow
def test_by_default_only_the_makers_of_pyodide_are_asked(tmp_path, parts, monkeypatch):
    monkeypatch.chdir(tmp_path)
    site = build_live(small_course(tmp_path / "course"), Path("out"), **parts)
    assert site.hosts.keys() == {"cdn.jsdelivr.net"} and not (tmp_path / "out" / "static" / "pyodide").exists()
    said = site.summary()
    assert f"from cdn.jsdelivr.net: Pyodide {versions.PYODIDE}" in said and "1 other host;" in said
    before = {path.name for path in (tmp_path / "out" / "static").iterdir()}
    again = build_live(small_course(tmp_path / "again"), tmp_path / "out", **parts)
    assert {path.name for path in (tmp_path / "out" / "static").iterdir()} == before and again.size == site.size


@pytest.mark.slow
def test_a_site_for_another_pyodide_has_another_name(tmp_path, parts, small_site):
    build_live(small_course(tmp_path / "course"), tmp_path / "out", pyodide="https://example.org/p", **parts)
    (name,) = [path.name for path in (tmp_path / "out" / "static").iterdir()]
    assert not (small_site / "live" / "static" / name).exists()


def test_readme_and_help_name_the_pyodide_that_goes_with_the_kernel(capsys):
    with pytest.raises(SystemExit):
        main(["site", "--help"])
    assert f"a folder with Pyodide {versions.PYODIDE}" in " ".join(capsys.readouterr().out.split())
    assert f"`pyodide-{versions.PYODIDE}.tar.bz2`" in (ROOT / "README.md").read_text("utf-8")
