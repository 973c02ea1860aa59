# SPDX-License-Identifier: GPL-2.0-only
"""What is kept from one check to the next makes a right solution faster, and never makes a wrong one right."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from kvmmmu_lab.check import answers
from kvmmmu_lab.check.answers import KnownAnswers
from kvmmmu_lab.check.judge import Judge
from kvmmmu_lab.check.sandbox.forkserver import CAN_FORK, ForkServer, can_fork_here
from kvmmmu_lab.check.submission import Submission
from kvmmmu_lab.exercises import load

ROOT = Path(__file__).parents[2]
SPLIT = load(ROOT / "exercises" / "01_split")
RIGHT = Submission((ROOT / "tests/exercises/01_split/right/divmods.py").read_text("utf-8"), "mine.py")
WRONG = replace(RIGHT, source=RIGHT.source + "\n\nright = split\n\n\ndef split(gva, mode):\n    return right(gva ^ 1, mode)\n")


@pytest.fixture(scope="module")
def server():
    with ForkServer() as shared:
        yield shared


def judged(server, given, path):
    known = KnownAnswers(SPLIT, 0, path)
    return Judge(SPLIT, given, server, known=known).report(), known


@pytest.mark.slow
def test_a_second_check_plays_nothing_with_the_kits_own_part(server, tmp_path, monkeypatch):
    path = tmp_path / "new" / "01_split.json"
    first, known = judged(server, RIGHT, path)
    assert first.passed and path.is_file()
    monkeypatch.setattr("kvmmmu_lab.check.oracle.Expected.__call__", lambda *_, **__: pytest.fail("played"))
    monkeypatch.setattr("kvmmmu_lab.check.answers.random_scenarios", lambda *_: pytest.fail("drawn"))
    again, kept = judged(server, RIGHT, path)
    assert again.passed and kept.digests == known.digests and kept.drawn == known.drawn


@pytest.mark.slow
def test_a_wrong_solution_stays_wrong_and_is_explained(server, tmp_path):
    judged(server, RIGHT, tmp_path / "kept.json")
    alone, _ = judged(server, WRONG, None)
    beside, _ = judged(server, WRONG, tmp_path / "kept.json")
    assert not beside.passed and str(beside) == str(alone)


def test_a_wrong_solution_teaches_nothing_wrong(server, tmp_path):
    _, known = judged(server, WRONG, tmp_path / "kept.json")
    _, right = judged(server, RIGHT, tmp_path / "other.json")
    assert known.digests.items() <= right.digests.items()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"stamp": 1}', '{"stamp": "STAMP", "drawn": 1}', '{"stamp": "STAMP", "drawn": {}}', "[" * 100_000]
)
def test_a_damaged_file_is_ignored(text, tmp_path):
    text = text.replace("STAMP", answers.stamp(SPLIT))
    for content in (text, f"{answers._digest([text.encode()])}\n{text}"):
        (tmp_path / "kept.json").write_text(content)
        assert KnownAnswers(SPLIT, 0, tmp_path / "kept.json").digests == {}


def test_a_file_of_other_code_is_ignored(server, tmp_path):
    path = tmp_path / "kept.json"
    judged(server, RIGHT, path)
    assert KnownAnswers(SPLIT, 0, path).digests
    text = json.dumps(json.loads(path.read_text().partition("\n")[2]) | {"stamp": "0" * 32})
    path.write_text(f"{answers._digest([text.encode()])}\n{text}")
    assert not KnownAnswers(SPLIT, 0, path).digests


def test_the_stamp_depends_on_the_code_and_on_the_rules(tmp_path, monkeypatch):
    kit = tmp_path / "kit"
    (kit / "mmu").mkdir(parents=True)
    (kit / "mmu" / "walk.py").write_text("one")
    folder = tmp_path / "01_split"
    folder.mkdir()
    rules = folder / "test_split.py"
    rules.write_text("rules")
    monkeypatch.setattr(answers, "PACKAGE", kit)

    def now():
        answers._kit_stamp.cache_clear()
        answers.kit_digest.cache_clear()
        return answers.stamp(replace(SPLIT, folder=folder))

    stamps = [now()]
    (kit / "mmu" / "walk.py").write_text("two")
    stamps.append(now())
    rules.write_text("other rules")
    stamps.append(now())
    answers._kit_stamp.cache_clear()
    answers.kit_digest.cache_clear()
    assert len(set(stamps)) == 3


def test_copies_of_the_kit_have_the_same_digest_wherever_and_whenever_they_were_installed(tmp_path, monkeypatch):
    def digest(kit):
        monkeypatch.setattr(answers, "PACKAGE", kit)
        answers.kit_digest.cache_clear()
        return answers.kit_digest()

    one, other = tmp_path / "one", tmp_path / "far" / "other"
    for number, kit in enumerate((one, other)):
        for name in ("mmu/walk.py", "data/golden.npz", "_course/exercises/01_split/split.py"):
            (kit / name).parent.mkdir(parents=True)
            (kit / name).write_text("the same" if not name.startswith("_course") else str(number))
            os.utime(kit / name, (number, number))
    same = digest(one), digest(other)
    (other / "data" / "golden.npz").write_text("not same")
    changed = digest(other)
    answers.kit_digest.cache_clear()
    assert same[0] == same[1] != changed


def test_without_a_folder_to_write_to_nothing_is_kept(server, tmp_path):
    (tmp_path / "file").write_text("")
    assert judged(server, RIGHT, tmp_path / "file" / "kept.json")[0].passed


# The fork server


def test_a_process_that_has_loaded_the_judge_does_not_become_a_fork_server():
    assert not can_fork_here()


HERE = """
import sys
from pathlib import Path
from kvmmmu_lab.check.sandbox.forkserver import ForkServer, Forked, can_fork_here
assert can_fork_here()
with ForkServer(here=True) as server:
    assert isinstance(server.process, Forked)
    from kvmmmu_lab.check.judge import Judge
    from kvmmmu_lab.check.submission import Submission
    from kvmmmu_lab.exercises import load
    source = 'import os, sys\\nraise ValueError(sorted(os.environ), [path for path in sys.path if "planted" in path], "kvmmmu_lab.check.judge" in sys.modules)\\n'
    report = Judge(load(Path(sys.argv[1])), Submission(source, "mine.py"), server).report()
print(report.verdicts[0].failure.sentence)
assert server.process.poll() is not None
"""  # noqa: E501


@pytest.mark.skipif(not CAN_FORK, reason="needs fork")
def test_a_fork_server_forked_from_a_command_is_like_a_new_process(tmp_path):
    planted = tmp_path / "planted"
    planted.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", HERE, str(SPLIT.folder)], cwd=planted, capture_output=True, text=True, timeout=60,
        env={"PATH": "/usr/bin", "MY_TOKEN": "geheim", "PYTHONPATH": f"{ROOT}:{planted}"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "): ([], [], False)" in done.stdout


def test_a_random_scenario_is_drawn_without_loading_hypothesis_first():
    code = "import sys; from kvmmmu_lab.exercises import folders, load; from pathlib import Path\n"
    code += "for folder in folders(Path(sys.argv[1])): load(folder)\nassert 'hypothesis' not in sys.modules"
    subprocess.run([sys.executable, "-c", code, str(ROOT)], cwd=ROOT, check=True, timeout=60)


@pytest.mark.slow
def test_the_same_seed_draws_the_same_scenarios_whatever_a_process_has_loaded():
    """Some releases of hypothesis draw constants that they find in loaded modules."""
    code = "import sys\nfrom pathlib import Path\nfrom kvmmmu_lab.check.scenarios import random_scenarios\n"
    code += "from kvmmmu_lab.exercises import folders, load\n"
    code += "{}\nfor name in ('04_rmap_add', '08_pre_write'):\n    exercise = load(Path(sys.argv[1]) / 'exercises' / name)\n"
    code += "    print([random_scenarios(exercise.name, rule, 3) for rule in exercise.rules if rule.drawn is not None])"
    loaded = "import kvmmmu_lab.check.judge, kvmmmu_lab.draw.scene\nfor folder in folders(Path(sys.argv[1])): load(folder)"
    commands = [[sys.executable, "-c", code.format(more), str(ROOT)] for more in ("", loaded)]
    one, other = (subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout for command in commands)
    assert one == other and len(one) > 10_000
