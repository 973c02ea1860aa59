# SPDX-License-Identifier: GPL-2.0-only
"""The kit on Pyodide, in node: lessons, the engine against recorded data, what the doctor says, and the speed of a fault.

`test_lessons` does the same in a browser. Without node, which starts faster, these tests don't run.
"""

import pytest

from kvmmmu_lab import bench

from ..share import one_in
from .live_lab import text_of
from .notebooks import LESSONS, cells_of
from .outputs import same, wrong

pytestmark = pytest.mark.slow

VERIFIED = ("golden/directed.jsonl.gz", "golden/rmap.jsonl.gz", "golden/hostile.jsonl.gz", "guests/lin32_A.npz")
SLOWER = 12
"""How many times longer a read fault may take than on CPython."""


@pytest.mark.parametrize("notebook", one_in(3, LESSONS, rest=pytest.mark.whole))
def test_a_lesson_shows_the_same_as_on_a_computer(notebook, python, computer):
    cells = cells_of(notebook)
    found = python.run(cells)
    assert wrong(found) == []
    assert same(cells, found, computer.run(cells)) == []


@pytest.fixture(scope="module")
def session(python):
    """The text that a few cells of one kernel show."""
    files = ", ".join(f"str(data / {name!r})" for name in VERIFIED)
    cells = [
        f"from pathlib import Path; import kvmmmu_lab; data = Path(kvmmmu_lab.__file__).parent / 'data'; files = [{files}]",
        "from kvmmmu_lab.verify import verify_file; found = [str(verify_file(name)).splitlines()[0] for name in files]",
        "[line.rpartition('/')[2] for line in found]",
        "from kvmmmu_lab import bench; min(bench._faults()[0] for _ in range(5))",
        "from kvmmmu_lab import doctor; doctor.run()",
        "from kvmmmu_lab.progress import Progress; Progress().points('rmap_add', 3); Progress().points('rmap_add', 2); "
        "Progress().path.as_posix(), Progress().get('rmap_add', 'best')",
        "from kvmmmu_lab.check.strategies import loaded; loaded(); import kvmmmu_lab.check.notebook, kvmmmu_lab.check.cli",
        "import sys; sorted({'filelock', 'graphviz'} & {*sys.modules})",
    ]
    outputs = python.run(cells)
    assert wrong(outputs) == []
    return [text_of(one) for one in outputs]


def test_the_engine_agrees_with_what_was_recorded(session):
    expected = ["golden trace", "golden trace", "golden trace", "page tables of a real guest"]
    names = [name.partition("/")[2] for name in VERIFIED]
    assert eval(session[2]) == [f"{name}: {kind}, 0 differences" for name, kind in zip(names, expected, strict=True)]


def test_a_read_fault_is_at_most_twelve_times_slower(session):
    assert 0 < float(session[3]) < SLOWER * min(bench._faults()[0] for _ in range(5))


def test_the_doctor_describes_the_tab(session):
    said = " ".join(session[4].split())
    assert "ok platform a browser tab without programs, fork, threads; it keeps files in /drive" in said
    assert "ok wasm-graphviz" in said and "This machine is ready for the lessons." in said


def test_progress_is_kept_on_the_drive(session):
    assert eval(session[5]) == ("/drive/.kvmmmu-lab/progress.json", 3)


def test_what_a_tab_has_no_use_for_is_not_imported(session):
    """The site can leave these packages out."""
    assert session[7] == "[]"
