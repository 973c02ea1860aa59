# SPDX-License-Identifier: GPL-2.0-only
"""The command line: its arguments, the functions that it calls, and its exit status."""

import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

from kvmmmu_lab import workspace
from kvmmmu_lab.cli import main
from kvmmmu_lab.errors import LabError


@pytest.fixture
def course(tmp_path, monkeypatch):
    root = tmp_path / "course"
    (root / "notebooks").mkdir(parents=True)
    (root / "notebooks/00_first_fault.ipynb").write_text("{}")
    monkeypatch.setattr(workspace, "course_root", lambda: root)
    return root


@pytest.fixture
def opened(monkeypatch):
    """A list of the calls that would have started JupyterLab."""
    calls = []
    monkeypatch.setattr(workspace, "open_lab", lambda *args, **options: calls.append((args, options)))
    return calls


def stand_in(monkeypatch, name, run):
    """Replace a module by one that contains only this function ``run``."""
    module = types.ModuleType(name)
    module.run = run
    parent, _, child = name.rpartition(".")
    monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(sys.modules[parent], child, module, raising=False)


@pytest.mark.parametrize("command", [[], ["lab"]])
def test_without_a_command_lab_runs(course, opened, tmp_path, command, capsys):
    folder = tmp_path / "mine"
    assert main([*command, "--folder", str(folder), "--no-browser", "--port", "9000"]) == 0
    assert (folder / "notebooks/00_first_fault.ipynb").exists()
    assert opened == [((folder, "notebooks/00_first_fault.ipynb"), {"browser": False, "port": 9000})]
    assert str(folder) in capsys.readouterr().out


def test_lab_uses_a_folder_in_the_home_directory_by_default(course, opened, tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert main([]) == 0
    assert (tmp_path / "kvmmmu-lab/notebooks/00_first_fault.ipynb").exists()
    assert opened[0][1] == {"browser": True, "port": None}


def test_print_only_opens_nothing(course, opened, tmp_path, capsys):
    assert main(["--print-only", "--folder", str(tmp_path / "mine")]) == 0
    assert opened == []
    assert str(tmp_path / "mine/notebooks/00_first_fault.ipynb") in capsys.readouterr().out


def test_lab_reports_what_it_left_alone_and_what_it_put_beside_it(course, opened, tmp_path, capsys):
    prepare = ["--print-only", "--folder", str(tmp_path / "mine")]
    main(prepare)
    (tmp_path / "mine/notebooks/00_first_fault.ipynb").write_text("my notes")
    (course / "notebooks/00_first_fault.ipynb").write_text("second edition")
    capsys.readouterr()
    main(prepare)
    said = capsys.readouterr().out
    assert "left alone, since you edited them" in said
    assert "notebooks/00_first_fault.new.ipynb" in said


def test_an_error_is_one_readable_line_and_status_1(course, opened, tmp_path, capsys):
    (tmp_path / "mine").write_text("a file where a folder has to be")
    assert main(["--folder", str(tmp_path / "mine")]) == 1
    out, err = capsys.readouterr()
    assert err.startswith("kvmmmu-lab: can't prepare ")
    assert "Traceback" not in out + err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["nonsense"], "nonsense"),
        (["--nonsense"], "--nonsense"),
        (["--port", "0"], "'0' is not a port"),
        (["--port", "65536"], "1 to 65535"),
        (["--port", "²"], "not a port"),
        (["verify"], "FILE"),
        (["verify", "x", "--without", "flush"], "write-protection"),
        (["doctor", "extra"], "extra"),
    ],
)
def test_a_wrong_command_line_names_the_mistake_and_exits_with_2(course, opened, arguments, named, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert named in capsys.readouterr().err


@pytest.mark.parametrize("status", [0, 1, 2])
def test_verify_gets_its_arguments_and_returns_its_status(monkeypatch, status):
    import kvmmmu_lab.verify  # noqa: F401  (`stand_in` needs the parent of the module that it replaces)

    seen = []
    stand_in(monkeypatch, "kvmmmu_lab.verify.cli", lambda args: seen.append(args) or status)
    assert main(["verify", "a.npz", "b.gz", "--json", "--audit", "--without", "prewrite"]) == status
    (args,) = seen
    assert (args.files, args.json, args.audit, args.without) == (["a.npz", "b.gz"], True, True, "prewrite")


def test_bench_gets_the_option_json(monkeypatch):
    seen = []
    stand_in(monkeypatch, "kvmmmu_lab.bench", lambda json: seen.append(json) or 0)
    assert main(["bench"]) == main(["bench", "--json"]) == 0
    assert seen == [False, True]


def test_an_interrupt_ends_quietly(monkeypatch, capsys):
    def interrupted(json):
        raise KeyboardInterrupt

    stand_in(monkeypatch, "kvmmmu_lab.bench", interrupted)
    assert main(["bench"]) == 130
    assert capsys.readouterr().err == ""


def test_an_error_of_the_kit_is_printed_without_a_traceback(monkeypatch, capsys):
    def refuses(json):
        raise LabError("level is 9; expected 1 to 4")

    stand_in(monkeypatch, "kvmmmu_lab.bench", refuses)
    assert main(["bench"]) == 1
    assert capsys.readouterr().err == "kvmmmu-lab: level is 9; expected 1 to 4\n"


def test_the_module_is_the_command():
    done = subprocess.run([sys.executable, "-m", "kvmmmu_lab", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"kvmmmu-lab {workspace.kit_version()}\n"


@pytest.mark.slow
def test_a_reader_that_stops_early_gets_no_traceback():
    command = [sys.executable, "-m", "kvmmmu_lab", "doctor", "--json"]
    # buffered output, as on a user's machine: the pipe breaks only when the buffer is flushed at the end
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=buffered) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141
