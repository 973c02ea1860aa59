# SPDX-License-Identifier: GPL-2.0-only
"""The learner's progress: what is kept, by several processes at once, in damaged files, and where nothing can be written."""

import json
import subprocess
import sys

import pytest

from kvmmmu_lab import progress
from kvmmmu_lab.progress import FILE, Progress


def test_points_and_predictions_are_kept(data_folder):
    Progress().points("rmap_add", 7)
    Progress().points("rmap_add", 5)
    Progress().note("rmap_add", hints=2)
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


@pytest.mark.parametrize("text", ["{", "[]", '{"exercises": 3}', '{"exercises": {"a": 3}, "predictions": {}}', "\x00"])
def test_a_damaged_file_is_set_aside(data_folder, text):
    data_folder.mkdir()
    (data_folder / FILE).write_text(text)
    assert Progress().get("rmap_add", "best") == 0
    assert (data_folder / FILE).with_suffix(".damaged").read_text() == text
    Progress().points("rmap_add", 4)
    assert Progress().get("rmap_add", "best") == 4


def test_what_another_version_wrote_is_read_as_far_as_it_is_known(data_folder):
    data_folder.mkdir()
    (data_folder / FILE).write_text('{"exercises": {"walk": {"best": "many"}}, "badges": []}')
    assert Progress().get("walk", "best") == 0 and Progress().predictions == {}


def test_where_nothing_can_be_written_it_says_so_once_and_goes_on(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KVMMMU_LAB_DATA", str(tmp_path / "file" / "data"))  # nobody can make a folder in a file, root included
    kept = Progress()
    kept.points("walk", 3)
    kept.predicted("0/pages", "3", right=True, late=False)
    assert kept.get("walk", "best") == 3 and "0/pages" in kept.predictions, "in this process"
    Progress().points("walk", 4)
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "Your progress is not kept" in said and "KVMMMU_LAB_DATA" in said


def test_without_its_libraries_it_says_how_to_get_them(monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, "filelock", None)
    monkeypatch.setattr(progress, "_told", set())
    kept = Progress(tmp_path)
    kept.points("walk", 3)
    assert kept.get("walk", "best") == 3
    assert 'pip install "kvmmmu-lab[lab]"' in capsys.readouterr().err
