# SPDX-License-Identifier: GPL-2.0-only
"""Marks made by hand, and any marks at all, for the tests of the views."""

import json
import unicodedata

from hypothesis import strategies as st

from kvmmmu_lab.draw.scene import Entry, Scene, Table, scene_data
from kvmmmu_lab.grade.mark import NOT_HANDED_IN, NOT_READABLE, WALL, Mark, RuleMark
from kvmmmu_lab.grade.record import ExerciseInfo, Info

INFO = Info(
    "Autumn", 7, (ExerciseInfo("split", "01", "Split an address", 3), ExerciseInfo("rmap_add", "04", "Reverse maps", 10))
)

ATTACK = "<script>alert(1)</script>&\"'\x1b[2J\u202egnp\n\ud800\ufffe]]>=1+1"
"""Markup, quotes, control characters, a bidi override, a line feed, a lone surrogate, what XML can't hold, a formula."""


def scene(*targets, title="the map"):
    """Return a scene: a frame, and the entries in its reverse map."""
    rows = tuple(Entry(f"rmap:1:{n}", str(n), "", target, "changed" if n else "") for n, target in enumerate(targets))
    return Scene(title, (Table("f:1", "frame", 0, 0, "gfn 0x1f"), Table("rmap:1", "rmap", 0, 1, title, (), rows)), ())


def picture(*scenes):
    """Return the picture of a mark."""
    return json.dumps([scene_data(one) for one in scenes])


WRONG = RuleMark(
    "many", "more than four entries of a frame", "failed", 0, 4,
    message="After step 2, add(#7:16): the reverse map of gfn 0x1f has lost spte #7:15", guest="a PAE guest",
    steps=("add(#7:15) [PW]", "add(#7:16) [PW]"), expected=("* #7:15", "  #7:16"), got=("  #7:16",), kind="differs",
    behaviour="the reverse map of gfn ... has lost spte ...", seconds=0.25,
)  # fmt: skip
RIGHT = RuleMark("one", "one entry", "passed", 6, 6, seconds=0.5)
EXTRA = RuleMark("store", "stored as the kernel does", "not attempted", 0, 2, extra=True)
LATE = RuleMark(
    "many", "more than four entries of a frame", "timed out", 0, 4, message="Your code took too long", kind="timeout"
)
PICTURE = picture(scene("#7:15", "#7:16"), scene("#7:16"))


def mark(learner="ada", exercise="rmap_add", rules=(RIGHT, WRONG, EXTRA), **more):
    """Return a mark with the points of its rules."""
    values = {
        "digest": "ab" * 32, "status": "failed", "points": sum(rule.points for rule in rules if not rule.extra),
        "of": sum(rule.of for rule in rules if not rule.extra) or 10, "file": f"{exercise}.py", "isolation": WALL, "seed": 7,
        "versions": "kvmmmu-lab 1", "seconds": 0.75, "extra": sum(rule.points for rule in rules if rule.extra),
    } | more  # fmt: skip
    return Mark(learner, exercise, rules=tuple(rules), **values)


def unjudged(learner="ada", exercise="rmap_add", status=NOT_READABLE, problem="rmap_add.py: 9 bytes of 8"):
    """Return a mark on which no rule was tried."""
    return Mark(learner, exercise, "", status, 0, 10, problem=problem if status != NOT_HANDED_IN else "")


# any marks

texts = st.one_of(st.text(max_size=30), st.sampled_from([ATTACK, "", " ", "=1", "add(#7:15)"]))
lists = st.lists(texts, max_size=3).map(tuple)
numbers = st.integers(0, 20)
statuses = st.sampled_from(["passed", "failed", "crashed", "timed out", "not attempted"])
pictures = st.one_of(
    st.just(""),
    texts,
    st.builds(lambda a, b, title: picture(scene(*a, title=title), scene(*b, title=title)), lists, lists, texts),
)
rules = st.builds(
    RuleMark, texts, texts, statuses, numbers, numbers, st.booleans(), texts, texts, texts, lists, lists, lists,
    st.one_of(texts, st.sampled_from(["differs", "raised", "forbidden", "damaged", "died", "absent", "timeout"])), texts,
    st.floats(0, 10),
)  # fmt: skip
marks = st.builds(
    Mark, texts, st.one_of(texts, st.just("rmap_add")), texts, st.one_of(statuses, texts), numbers, numbers, numbers, texts,
    texts, texts, st.lists(rules, max_size=3).map(tuple), lists, texts, numbers, pictures, texts, numbers, texts, texts,
    st.floats(0, 10),
)  # fmt: skip


def in_order(found):
    """Return marks as a record yields them: one for each learner and exercise, by learner and exercise."""
    unique = {(one.learner, one.exercise): one for one in found}
    return [unique[key] for key in sorted(unique)]


def controls(text):
    """Return the control characters in a text, but line feeds, tabs and what words of some scripts need."""
    return {c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")} - {*"\r\n\t\u200c\u200d"}
