# SPDX-License-Identifier: GPL-2.0-only
"""What the tests of exercises share: where things are, and how a file is judged."""

import re
from pathlib import Path

from kvmmmu_lab.check.judge import Judge
from kvmmmu_lab.check.submission import Submission, read
from kvmmmu_lab.exercises import folders, load

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
EXERCISES = {folder.name: load(folder) for folder in folders(ROOT)}


def solutions(kind):
    """(exercise folder's name, file) of all wheats or chaffs."""
    return [(name, path) for name in EXERCISES for path in sorted((HERE / name / kind).glob("*.py"))]


def breaks(path):
    """The rule that a chaff breaks, by name: it says so in a line ``# breaks: NAME``."""
    return re.search(r"^# breaks: ([\w-]+)$", path.read_text("utf-8"), re.MULTILINE)[1]


def judge_rule(name, path, rule, nursery):
    """The verdict on one rule."""
    exercise = EXERCISES[name]
    with Judge(exercise, read(path), nursery) as found:
        return found.rule(next(one for one in exercise.rules if one.name == rule))


def judge(name, given, nursery, **options):
    """The report on a file, or on a source text."""
    submission = Submission(given, "submission.py") if isinstance(given, str) else read(given)
    return Judge(EXERCISES[name], submission, nursery, **options).report()
