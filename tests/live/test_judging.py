# SPDX-License-Identifier: GPL-2.0-only
"""Exercises are judged in the tab: the same verdicts, messages and pictures as on a computer, and no loop stops the page."""

import json
import re

import pytest

from kvmmmu_lab.check.report import IN_TAB, OWN_MARK

from ..exercises import solutions
from .live_lab import text_of
from .static_server import serving

pytestmark = pytest.mark.slow

GENEROUS, SHORT = 40, 5
"""Factors for all time limits: for what has to end on a busy computer, and for what doesn't end at all."""

SPIN = "\n        while True: pass"
RIGHT = {exercise: next(iter(solutions.right(exercise).values())) for exercise in ("04_rmap_add", "08_pre_write")}
ENDLESS = {
    "04_rmap_add": "class Endless(ReverseMap):\n    def add(self, spte):\n        while True: pass\nReverseMap = Endless",
    "08_pre_write": "def pre_write(vm, gpa, size):\n    while True: pass",
}
CELL = """
import json, os
os.environ["KVMMMU_LAB_TIME"] = "{factor}"
from kvmmmu_lab.check import check
{source}
report = check({exercise!r}, {wanted})
print(json.dumps([report.as_data(), str(report), report._repr_mimebundle_()["text/html"]]))
"""


HINT = re.compile(r'kvmmmu-lab hint \w+|from kvmmmu_lab\.check import hint; hint\((?:"|&\w+;|&#\d+;)\w+(?:"|&\w+;|&#\d+;)\)')
"""Where hints are: a tab has no commands."""


def cell(exercise, source, factor):
    wanted = {"04_rmap_add": "ReverseMap", "08_pre_write": "pre_write"}[exercise]
    return CELL.format(source=source, exercise=exercise, wanted=wanted, factor=factor)


def report_of(outputs):
    """The report's data without what a tab adds, its text, and its HTML; and the notes that a tab adds.

    How far the steps of a failure are shortened depends on the time, so only those of the first one, which is shown, are kept.
    """
    data, text, markup = json.loads(re.sub(r"In\[\d+\]", "In[]", text_of(outputs)))
    notes = data.pop("notes")
    del data["seconds"]
    failed = [rule for rule in data["rules"] if rule["message"]]
    for rule in failed[1:]:
        del rule["message"], rule["steps"]
    text, markup = (HINT.sub("a hint", one) for one in (text, markup))
    return (data, text.partition("\n\nThis mark is for you")[0], markup.partition("<p><small>")[0]), notes


@pytest.fixture(scope="module")
def whole_server(whole_site):
    with serving(whole_site) as server:
        yield server


@pytest.mark.parametrize("exercise", ["04_rmap_add", "08_pre_write"])
def test_an_exercise_is_judged_as_on_a_computer(exercise, new_reader, whole_server, computer):
    right = RIGHT[exercise]
    wrong = next(one for one in solutions.wrong(exercise).values() if one.breaks)
    sources = [(right.source, GENEROUS), (wrong.source, GENEROUS), (f"{right.source}\n{ENDLESS[exercise]}", SHORT)]
    cells = [cell(exercise, *one) for one in sources]
    folder = right.exercise
    lab = new_reader(whole_server).open(f"exercises/{folder}/{folder[3:]}.ipynb")
    there = [report_of(outputs)[0] for outputs in computer.run(cells)]
    for code, expected, status in zip(cells, there, ("passed", "failed", "timed out"), strict=True):
        here, notes = report_of(lab.run(code))
        for tab, computers in zip(here, expected, strict=True):
            assert tab == computers
        assert here[0]["status"] == status
        assert notes == [OWN_MARK, IN_TAB]
        assert text_of(lab.run("1 + 1")) == "2"
    lab.open("notebooks/start.ipynb")
    kept = f"from kvmmmu_lab.progress import Progress; [Progress().get({folder[3:]!r}, key) for key in ('best', 'last')]"
    assert text_of(lab.run(kept)) == f"[{there[0][0]['of']}, {there[2][0]['points']}]"
    assert lab.elsewhere == []
