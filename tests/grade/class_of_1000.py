# SPDX-License-Identifier: GPL-2.0-only
"""Measure the grader on a class: ``python -m tests.grade.class_of_1000 [--learners N] [--jobs N] [--exercise FOLDER]``.

The submissions are made from right and wrong solutions of an exercise, and are all different. One of twenty is hostile or
broken. The class is graded twice: first a fifth of it, then all, so that it can be seen whether the memory stays the same.
"""

import argparse
import collections
import itertools
import random
import sys
import tempfile
from pathlib import Path

from kvmmmu_lab.grade.mark import NOT_JUDGED
from kvmmmu_lab.grade.record import Record

from ..exercises import solutions
from ..exercises.checking import ROOT
from ..exercises.test_hostile import HOSTILE
from .handing_in import RMAP_ADD
from .measured import measure

HOSTILE_SHARE = 20
"""One of so many submissions is hostile or broken."""

BROKEN = (b"", b"\xff\xfe no text", b"def (:\n", b"raise ValueError\n", b"import nothing_like_this\n")


def sources(folder, count):
    """Yield so many different sources, always the same ones: those of right and wrong solutions in turn, and hostile ones."""
    honest = [solution.source for solution in (*solutions.right(folder).values(), *solutions.wrong(folder).values())]
    hostile = [*(source for source, *_ in HOSTILE.values()), *BROKEN]
    chance = random.Random(0)
    chance.shuffle(honest)
    chance.shuffle(hostile)
    honest, hostile = itertools.cycle(honest), itertools.cycle(hostile)
    for number in range(count):
        source = next(hostile) if number % HOSTILE_SHARE == HOSTILE_SHARE // 2 else next(honest)
        yield (source if isinstance(source, bytes) else source.encode()) + b"\n# %d\n" % number


def write_class(folder, exercise, count):
    """Write a folder with the submissions of so many learners; return it."""
    for number, source in enumerate(sources(exercise, count)):
        path = folder / f"learner{number:05}" / f"{exercise.partition('_')[2]}.py"
        path.parent.mkdir(parents=True)
        path.write_bytes(source)
    return folder


def main():
    """Grade a fifth of the class and the class, and print what both cost. The exit status is 1 if not all were judged."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--learners", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--exercise", default=RMAP_ADD, help="the name of its folder")
    args = parser.parse_args()
    complete = True
    with tempfile.TemporaryDirectory(prefix="class-of-") as name:
        for count in dict.fromkeys((max(1, args.learners // 5), args.learners)):
            given = write_class(Path(name) / f"{count}", args.exercise, count)
            out = Path(name) / f"report {count}"
            command = [sys.executable, "-m", "kvmmmu_lab", "grade", given, "--out", out, "--exercise", args.exercise]
            cost = measure([*command, "--jobs", args.jobs], cwd=ROOT)
            if not (out / "record.sqlite").exists():
                sys.exit(cost.said)
            with Record(out / "record.sqlite") as record:
                marks = list(record.marks())
            statuses = collections.Counter(mark.status for mark in marks)
            complete = complete and cost.status == 0 and len(marks) == count and not statuses[NOT_JUDGED]
            print(f"{count:,} submissions of {args.exercise}, {args.jobs} jobs: {cost.each(count)}", flush=True)
            print(f"  {', '.join(f'{many:,} {status}' for status, many in statuses.most_common())}", flush=True)
    sys.exit(not complete)


if __name__ == "__main__":
    main()
