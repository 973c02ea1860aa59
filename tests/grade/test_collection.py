# SPDX-License-Identifier: GPL-2.0-only
"""Who handed in what, in each layout; and what is left out or refused, with which words."""

import tracemalloc

import pytest

from kvmmmu_lab.errors import DataError, InputError
from kvmmmu_lab.grade.collection import collect

from .submissions import BOOK, PY, RMAP, SPLIT, Link, make, zipped


def hand_ins(folder, tree, exercises=(RMAP,), only=None):
    collection = collect(make(folder / "class", tree), exercises, only)
    return {(one.learner, one.exercise): one for one in collection.hand_ins}


def found(folder, tree, exercises=(RMAP,)):
    """Return what each learner handed in, as (main, notebook, names of all files); None for nothing."""
    return {
        learner: (one.main, one.notebook, sorted(one.files)) if one.main else one.problem or None
        for (learner, _), one in hand_ins(folder, tree, exercises).items()
    }


WORK = {"rmap_add.py": PY, "tools": {"bits.py": b"x = 1\n"}, "split.py": b"y\n"}
TAKEN = ("rmap_add.py", "", ["rmap_add.py", "split.py", "tools/bits.py"])
METADATA = b"""---
submission_11:
  :submitters:
  - :name: Ada <script>
    :sid: '0017'
    :email: ada@example.edu
  - :name: "Zo\\xEB \\U0001F600"
    :sid:
    :email: zoe@example.edu
  :created_at: 2026-11-02 17:10:39.331560000 Z
  :score: 0.0
  :results:
    tests:
    - :name: not a submitter
submission_12:
  :submitters:
  - :name: Ada
    :sid: 18
    :email: ada2@example.edu
"""
ADA, ZOE = "Ada <script> (0017)", "Zoë 😀 (zoe@example.edu)"


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        # a folder, a zip, a file for each learner
        ({"ada": WORK, "bob": WORK}, {"ada": TAKEN, "bob": TAKEN}),
        ({"ada": {"exercises": {RMAP: WORK}, "notebooks": {"00.ipynb": BOOK}}}, {"ada": TAKEN}),
        ({"ada": {RMAP: WORK, "rmap_add.py": b"older"}}, {"ada": TAKEN}),
        ({"ada": {"my work": {"second": {RMAP: WORK}}}}, {"ada": TAKEN}),
        ({"ada.zip": zipped(WORK), "bob.ZIP": zipped({"work": WORK})}, {"ada": TAKEN, "bob": TAKEN}),
        ({"ada.zip": zipped({"a": {"exercises": {RMAP: WORK}}, "__MACOSX": {"._a": b""}})}, {"ada": TAKEN}),
        ({"ada": {"work.zip": zipped(WORK)}}, {"ada": TAKEN}),
        ({"ada": {"rmap_add.ipynb": BOOK}}, {"ada": ("rmap_add.ipynb", "", ["rmap_add.ipynb"])}),
        (
            {"ada": {"rmap_add.py": PY, "rmap_add.ipynb": BOOK}},
            {"ada": ("rmap_add.py", "rmap_add.ipynb", ["rmap_add.ipynb", "rmap_add.py"])},
        ),
        ({"ada.py": PY, "bob.py": PY}, dict.fromkeys(("ada", "bob"), ("rmap_add.py", "", ["rmap_add.py"]))),
        (
            {"ada.py": PY, "ada.ipynb": BOOK, "bob.ipynb": BOOK},
            {
                "ada": ("rmap_add.py", "rmap_add.ipynb", ["rmap_add.ipynb", "rmap_add.py"]),
                "bob": ("rmap_add.ipynb", "", ["rmap_add.ipynb"]),
            },
        ),
        # names that a browser or a person changed
        ({"ada": {"rmap_add (1).py": PY}}, {"ada": ("rmap_add.py", "", ["rmap_add.py"])}),
        ({"ada": {"RMAP_Add.IPYNB": BOOK}}, {"ada": ("rmap_add.ipynb", "", ["rmap_add.ipynb"])}),
        (
            {"ada": {"rmap_add.py": PY, "rmap_add (1).py": b""}},
            {"ada": ("rmap_add.py", "", ["rmap_add (1).py", "rmap_add.py"])},
        ),
        # nothing
        ({"ada": {}, "bob": {"notes.txt": b""}}, {"ada": None, "bob": None}),
        ({}, {}),
        # nbgrader
        ({"ada": {RMAP: WORK}, "bob": {"ps1": WORK}}, {"ada": TAKEN, "bob": TAKEN}),
        ({"submitted": {"ada": {"ps1": WORK}}, "source": {"ps1": {}}, "gradebook.db": b""}, {"ada": TAKEN}),
        # Gradescope; a group hands in together
        (
            {"submission_metadata.yml": METADATA, "submission_11": WORK, "submission_12": WORK},
            {ADA: TAKEN, ZOE: TAKEN, "Ada (18)": TAKEN},
        ),
        (
            {"assignment_9_export": {"submission_metadata.yml": METADATA, "submission_11": WORK, "submission_13": {}}},
            {ADA: TAKEN, ZOE: TAKEN, "Ada (18)": None, "submission_13": None},
        ),
        # Moodle, in folders and flat
        (
            {
                "Ada L_12_assignsubmission_file_": WORK,
                "Ada L_13_assignsubmission_file": {"work.zip": zipped(WORK)},
                "Bob_14_assignsubmission_onlinetext_": {"onlinetext.html": b""},
            },
            {"Ada L (12)": TAKEN, "Ada L (13)": TAKEN, "Bob (14)": None},
        ),
        (
            {
                "Ada_L_12_assignsubmission_file_rmap_add.py": PY,
                "Ada_L_12_assignsubmission_file_bits.py": b"",
                "Bob_13_assignsubmission_file_all_my.zip": zipped(WORK),
                "Bob_13_assignsubmission_onlinetext_onlinetext.html": b"",
            },
            {"Ada_L (12)": ("rmap_add.py", "", ["bits.py", "rmap_add.py"]), "Bob (13)": TAKEN},
        ),
        # one learner's own folder
        ({"exercises": {RMAP: WORK, SPLIT: {}}, "notebooks": {}}, {"class": TAKEN}),
        ({RMAP: WORK, "README.md": b""}, {"class": TAKEN}),
        ({"rmap_add.py": PY}, {"class": ("rmap_add.py", "", ["rmap_add.py"])}),
    ],
)
def test_each_layout_is_understood_as_a_folder_and_as_a_zip(tmp_path, tree, expected):
    assert found(tmp_path, tree) == expected
    download = tmp_path / "class.zip"
    download.write_bytes(zipped(tree))
    as_zip = {one.learner: sorted(one.files) for one in collect(download, [RMAP]).hand_ins}
    # a zip knows no empty folders
    assert as_zip == {learner: one[2] if one else [] for learner, one in expected.items() if learner in as_zip}
    assert expected.keys() - as_zip.keys() <= {"ada", "submission_13"}


@pytest.mark.parametrize("around", ["class", "submissions", "CS 5"])
def test_a_zip_of_the_folder_is_like_a_zip_of_what_is_in_it(tmp_path, around):
    download = tmp_path / "class.zip"
    download.write_bytes(zipped({around: {"ada": WORK, "bob.zip": zipped(WORK)}}))
    collection = collect(download, [RMAP])
    assert collection.learners == ("ada", "bob")
    assert [one.place for one in collection.hand_ins] == [
        f"class.zip/{around}/ada/rmap_add.py",
        f"class.zip/{around}/bob.zip/rmap_add.py",
    ]


def test_there_is_one_hand_in_for_each_learner_and_exercise_in_order(tmp_path):
    tree = {"bob": WORK, "ada": {}, "é": WORK}
    collection = collect(make(tmp_path, tree), [SPLIT, RMAP])
    wanted = [(learner, name) for learner in ("ada", "bob", "é") for name in ("split", "rmap_add")]
    assert [(one.learner, one.exercise) for one in collection.hand_ins] == wanted
    first, second = list(collection.hand_ins), list(collection.hand_ins)
    assert first == second and len(collection) == len(first) == 6
    assert first[0].problem == first[0].main == "" and first[0].files == {}


def test_the_digest_is_that_of_what_was_handed_in(tmp_path):
    tree = {"ada": WORK, "bob": WORK, "cy": {**WORK, "rmap_add.py": b"other"}, "dan": {**WORK, "rmap_add.ipynb": BOOK}}
    digests = [one.digest for one in hand_ins(tmp_path, tree).values()]
    assert digests[0] == digests[1] and len(set(digests)) == 3


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({"ada": {"old": {"rmap_add.py": PY}, "new": {"rmap_add.py": b""}}}, "ada: several files could count for 04_rmap_add "),
        (
            {"ada": {"rmap_add (1).py": PY, "rmap_add (2).py": PY}},
            "ada: several files could count for 04_rmap_add (rmap_add (1).py, ",
        ),
        ({"ada": {"a.zip": zipped(WORK), "b.zip": zipped(WORK)}}, "ada: several zips have files for 04_rmap_add (ada/a.zip, "),
        ({"ada": WORK, "ada.zip": zipped(WORK)}, "ada: several entries are this learner's (ada, ada.zip)"),
        ({"ada.zip": zipped({"in.zip": zipped(WORK)})}, "ada.zip/in.zip: a zip in a zip"),
        ({"ada": {"a.zip": zipped({"in.zip": zipped(WORK), "in2.zip": b""})}}, "ada/a.zip/in.zip: a zip in a zip"),
        ({"ada.zip": b"PK no zip"}, "ada.zip: a damaged zip"),
        ({"ada": {"work.zip": zipped(WORK)[:-40]}}, "ada/work.zip: a damaged zip"),
        ({"ada": {f"{number}.zip": zipped({}) for number in range(9)}}, "ada: more than 5 zips"),
    ],
)
def test_what_is_not_clear_is_the_learners_problem(tmp_path, tree, words):
    (one,) = hand_ins(tmp_path, tree).values()
    assert one.problem.startswith(words) and one.main == "" and one.files == {}
    assert "; expected " in one.problem


def test_a_damaged_zip_beside_the_files_does_no_harm(tmp_path):
    assert found(tmp_path, {"ada": {**WORK, "old.zip": b"?"}}) == {"ada": TAKEN}


def test_notebooks_of_other_exercises_are_not_carried_along(tmp_path):
    tree = {"rmap_add.ipynb": BOOK, "split.ipynb": BOOK, "old": {"x.IPYNB": BOOK, "x.py": b""}}
    assert found(tmp_path, {"ada": tree}) == {"ada": ("rmap_add.ipynb", "", ["old/x.py", "rmap_add.ipynb"])}


@pytest.mark.parametrize("where", ["look_through", "Choice.hand_in"])
@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("unexpected"), RecursionError()])
def test_whatever_goes_wrong_is_the_problem_of_one_learner(tmp_path, monkeypatch, where, error):
    def failing(*_):
        raise error

    collection = collect(make(tmp_path, {"ada": WORK, "bob": WORK}), [RMAP])
    ones = collection.hand_ins
    with monkeypatch.context() as patch:
        patch.setattr(f"kvmmmu_lab.grade.learner_files.{where}", failing)
        first = next(ones)
    second = next(ones)
    assert first.problem.startswith("what was handed in can't be read: ") and first.learner == "ada"
    assert (second.learner, second.main) == ("bob", "rmap_add.py")


def test_what_counts_under_another_name_is_said(tmp_path):
    (one,) = hand_ins(tmp_path, {"ada": {"rmap_add (1).py": PY}}).values()
    assert one.notes == ("rmap_add (1).py counts as rmap_add.py",) and one.place == "ada/rmap_add (1).py"


def test_what_else_has_the_name_of_the_exercise_is_said(tmp_path):
    work = {"rmap_add.ipynb": BOOK, "rmap_add (1).py": PY}
    (one,) = hand_ins(tmp_path, {"ada": {"exercises": {RMAP: work}, "rmap_add.py": b""}}).values()
    assert (one.main, one.place) == ("rmap_add.ipynb", f"ada/exercises/{RMAP}/rmap_add.ipynb")
    assert one.notes == (
        f"exercises/{RMAP}/rmap_add.ipynb counts; these do not: rmap_add.py, exercises/{RMAP}/rmap_add (1).py",
    )


def test_what_counts_for_no_exercise_is_said(tmp_path):
    (one,) = hand_ins(tmp_path, {"ada": {"solution.py": PY, "rmap_add.new.py": PY}}).values()
    assert one.problem == ""
    assert one.notes == ("there is no file of this exercise, but rmap_add.new.py, solution.py",)


def test_the_notes_say_what_was_left_out(tmp_path):
    tree = {
        ".DS_Store": b"",
        "ada": {**WORK, ".git": {"x": b""}, "__pycache__": {}, ".ipynb_checkpoints": {}},
        "bob.zip": zipped({**WORK, "__MACOSX": {"x": b""}}),
        "cy.py": PY,
        "grades.csv": b"",
    }
    collection = collect(make(tmp_path, tree), [RMAP, SPLIT])
    for _ in range(2):
        assert len(list(collection.hand_ins)) == 4
        assert collection.notes == (
            "left out: .DS_Store (hidden, or made by a program)",
            "left out: cy.py (if there is one file for each learner, name its exercise with --exercise)",
            "left out: grades.csv (neither a folder, nor a zip, .py or .ipynb)",
            "left out: 4 hidden or compiled files and folders of learners",
        )


@pytest.mark.parametrize(
    ("only", "learner"),
    [(ADA, ADA), ("zoe@example.edu", ZOE), ("0017", ADA), ("submission_12", "Ada (18)"), ("Ada", "Ada (18)")],
)
def test_only_one_learner_by_any_name(tmp_path, only, learner):
    make(tmp_path, {"submission_metadata.yml": METADATA, "submission_11": WORK, "submission_12": WORK})
    collection = collect(tmp_path, [RMAP], only)
    assert collection.learners == (learner,)
    assert [one.main for one in collection.hand_ins] == ["rmap_add.py"]


def test_only_compares_letters_and_not_how_they_are_composed(tmp_path):
    assert collect(make(tmp_path, {"Zoe\u0308": WORK}), [RMAP], "Zo\xeb").learners == ("Zoe\u0308",)


def test_a_learner_who_is_not_there_is_an_error(tmp_path):
    make(tmp_path, {"submission_metadata.yml": METADATA, "submission_11": WORK})
    for only in ("eve", "submission_11"):  # the latter is that of a group
        with pytest.raises(InputError, match="only is .* expected one of the learners in the folder: Ada "):
            collect(tmp_path, [RMAP], only)


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        collect(tmp_path / "none", [RMAP])
    (tmp_path / "file.txt").touch()
    with pytest.raises(DataError, match="neither a folder nor a zip"):
        collect(tmp_path / "file.txt", [RMAP])
    (tmp_path / "class.zip").write_bytes(b"no zip")
    with pytest.raises(DataError, match="a damaged zip"):
        collect(tmp_path / "class.zip", [RMAP])
    with pytest.raises(InputError, match="at least one exercise"):
        collect(tmp_path, [])


def test_a_wrong_limit_is_an_error_and_no_problem_of_each_learner(tmp_path, monkeypatch):
    monkeypatch.setenv("KVMMMU_LAB_SOURCE", "much")
    with pytest.raises(InputError, match="KVMMMU_LAB_SOURCE"):
        collect(make(tmp_path, {"ada": WORK}), [RMAP])


def test_the_folder_of_submissions_may_be_a_link_itself(tmp_path):
    make(tmp_path, {"real": {"ada": WORK}, "link": Link("real")})
    assert [one.main for one in collect(tmp_path / "link", [RMAP]).hand_ins] == ["rmap_add.py"]


def test_a_learner_who_vanishes_meanwhile_has_a_problem(tmp_path):
    collection = collect(make(tmp_path, {"ada": {}, "bob": WORK}), [RMAP])
    (tmp_path / "ada").rmdir()
    first, second = collection.hand_ins
    assert first.problem == "ada: it can't be read: No such file or directory; expected a folder that you can read"
    assert second.main == "rmap_add.py"


@pytest.mark.slow
@pytest.mark.whole
@pytest.mark.parametrize("layout", ["folders", "zips", "download"])
def test_memory_is_flat_for_20_000_learners(tmp_path, layout):
    """What is kept for a learner is the name and the place; a hand-in is gone as soon as the next one is there."""
    count = 20_000
    tree = {f"learner {number}": {"rmap_add.py": PY * 1000, "bits.py": PY} for number in range(count)}
    if layout == "zips":
        content = zipped(tree["learner 0"])
        tree = {f"{learner}.zip": content for learner in tree}
    folder = tmp_path / "class"
    if layout == "download":
        folder = tmp_path / "class.zip"
        folder.write_bytes(zipped({"class": tree}))
    else:
        make(folder, tree)
    tracemalloc.start()
    try:
        collection = collect(folder, [RMAP, SPLIT])
        listed = tracemalloc.get_traced_memory()[0]
        seen = sum(bool(one.main) for one in collection.hand_ins)
        kept, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert seen == count and len(collection) == 2 * count
    assert kept - listed < 1 << 20
    assert listed < 1000 * count
    # the directory of a download is read twice, and is gone in between
    assert most < (5000 if layout == "download" else 1200) * count
