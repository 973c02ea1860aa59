# SPDX-License-Identifier: GPL-2.0-only
"""The layouts of a folder of submissions: finds the learners in it, without looking at what they handed in.

- a folder, or a zip, for each learner: NAME/ or NAME.zip; with one exercise, also a file for each: NAME.py or NAME.ipynb
- nbgrader's: submitted/NAME/ASSIGNMENT/, the folder that ``submitted`` is in, too
- a download from Gradescope: submission_123/, and submission_metadata.yml, which has the names
- a download from Moodle: "Full Name_123_assignsubmission_file_", a folder or the beginning of the names of files
- one learner's own folder: 04_rmap_add/ or exercises/04_rmap_add/, or only files with the names of exercises
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import DataError
from ..files import MOST_BYTES
from .gradescope_export import METADATA, Submitter, submitters
from .learner_files import ENDINGS, is_left_out, name_of
from .omissions import Omissions, named
from .portable_name import as_text
from .tree import FILE, FOLDER, Parts, Tree, TreeEntry
from .zip_tree import ZipTree

MOST_LEARNERS = 500_000
"""The maximum number of files and folders in the folder of submissions itself."""

MOST_METADATA = 4 * MOST_BYTES
"""The maximum size of Gradescope's file of names, which has the results of its autograder in it, too."""

NBGRADER = {"source", "release", "submitted", "autograded", "feedback", "nbgrader_config.py", "gradebook.db"}
"""What there is beside nbgrader's folder ``submitted``."""

MOODLE = re.compile(r"(.+?)_(\d+)_assignsubmission_([a-z]+)_?(.*)", re.DOTALL)
"""Matches Moodle's names: the full name, the number of the participant, the kind, and the name of the file, if it is one."""


@dataclass(frozen=True, slots=True)
class Learner:
    """A learner, and where the hand-ins are: in a ``folder``, in a ``zip``, or in some ``files``, by their names in there.

    ``name`` tells the learner from all others. ``known_as`` are other names. ``problem`` is a reason why nothing can be read.
    """

    name: str
    folder: Parts | None = None
    zip: Parts | None = None
    files: Mapping[str, Parts] = field(default_factory=dict)
    known_as: tuple[str, ...] = ()
    problem: str = ""


class ClassLayout:
    """The learners that are found in ``tree``, whose name is ``name``: ``learners``, in order, and what is ``left_out``.

    ``words`` name the layout. Raises DataError.
    """

    def __init__(self, tree: Tree, name: str, exercises: Sequence[str]) -> None:
        self.tree, self.name, self.exercises = tree, name, exercises
        self.left_out = Omissions()
        self.folder: Parts = ()
        self.entries = self._visible(())
        while (inner := self._inner()) is not None and len(self.folder) < 3:
            self.folder = (*self.folder, inner)
            self.entries = self._visible(self.folder)
        self.words, found = self._found()
        self.learners = sorted(_merged(found), key=lambda learner: learner.name)

    def _found(self) -> tuple[str, Iterable[Learner]]:
        names = {entry.name for entry in self.entries}
        if METADATA in names:
            return "a download from Gradescope", self._of_gradescope()
        if any(map(MOODLE.fullmatch, names)):
            return "a download from Moodle", self._of_moodle()
        if self._is_one_learners():
            return "one learner's own folder", [Learner(as_text(self.name), folder=self.folder)]
        return "a folder, a zip or a file for each learner", self._of_folders()

    def _visible(self, folder: Parts) -> list[TreeEntry]:
        entries = self.tree.entries(folder, MOST_LEARNERS)
        for entry in entries:
            if is_left_out(entry.name):
                self.left_out.add(entry.name, "hidden, or made by a program")
        return [entry for entry in entries if not is_left_out(entry.name)]

    def _inner(self) -> str | None:
        """Return the folder that the learners are in, if it is not this one."""
        names = {entry.name: entry.kind for entry in self.entries}
        if names.get("submitted") == FOLDER and names.keys() <= NBGRADER:
            return "submitted"
        if len(self.entries) != 1 or self.entries[0].kind != FOLDER:
            return None
        name = self.entries[0].name
        inside = {entry.name for entry in self.tree.entries((*self.folder, name), MOST_LEARNERS)}
        if METADATA in inside or any(map(MOODLE.fullmatch, inside)):
            return name
        # the folder that somebody made a zip of; with one entry it is more likely a learner's
        packed = isinstance(self.tree, ZipTree) and not self.folder and len(inside) > 1
        is_around = name == "submissions" or ((packed or name == self.name) and not self._looks_like_work(inside))
        return name if is_around else None

    def _looks_like_work(self, names: Iterable[str]) -> bool:
        wanted = {*self.exercises, "exercises", *(name_of(each) + ending for each in self.exercises for ending in ENDINGS)}
        return not wanted.isdisjoint(names)

    def _is_one_learners(self) -> bool:
        folders = {entry.name for entry in self.entries if entry.kind == FOLDER}
        if not folders.isdisjoint(self.exercises):
            return True
        if "exercises" in folders:
            with contextlib.suppress(DataError):
                inside = self.tree.entries((*self.folder, "exercises"))
                return not {entry.name for entry in inside}.isdisjoint(self.exercises)
        work = {name_of(each) + ending for each in self.exercises for ending in ENDINGS}
        return bool(self.entries) and all(entry.kind == FILE and entry.name in work for entry in self.entries)

    def _path(self, entry: TreeEntry) -> Parts:
        return (*self.folder, entry.name)

    def _of_folders(self) -> Iterator[Learner]:
        for entry in self.entries:
            stem, dot, ending = entry.name.rpartition(".")
            ending = (dot + ending).lower()
            if entry.kind == FOLDER:
                yield Learner(as_text(entry.name), folder=self._path(entry))
            elif entry.kind != FILE:
                name = stem if ending in (*ENDINGS, ".zip") else entry.name
                expected = "a folder, a zip or a file of the learner's own"
                yield Learner(as_text(name), problem=str(DataError(entry.name, entry.kind, expected)))
            elif ending == ".zip":
                yield Learner(as_text(stem), zip=self._path(entry))
            elif ending in ENDINGS and len(self.exercises) == 1:
                yield Learner(as_text(stem), files={name_of(self.exercises[0]) + ending: self._path(entry)})
            elif ending in ENDINGS:
                self.left_out.add(entry.name, "if there is one file for each learner, name its exercise with --exercise")
            else:
                self.left_out.add(entry.name, "neither a folder, nor a zip, .py or .ipynb")

    def _of_moodle(self) -> Iterator[Learner]:
        files: dict[tuple[str, str], dict[str, Parts]] = {}
        for entry in self.entries:
            match = MOODLE.fullmatch(entry.name)
            if not match:
                self.left_out.add(entry.name, "not named as Moodle names submissions")
                continue
            person, number, kind, file = match.groups()
            name = f"{as_text(person)} ({number})"
            others = (as_text(person), number, as_text(entry.name))
            if kind != "file":
                self.left_out.add(entry.name, "not a file that was handed in")
                yield Learner(name, known_as=others)
            elif entry.kind == FOLDER:
                yield Learner(name, folder=self._path(entry), known_as=others)
            elif entry.kind == FILE:
                files.setdefault((person, number), {})[file] = self._path(entry)
            else:
                yield Learner(name, known_as=others, problem=str(DataError(entry.name, entry.kind, "a folder or a file")))
        for (person, number), those in files.items():
            yield Learner(f"{as_text(person)} ({number})", files=those, known_as=(as_text(person), number))

    def _of_gradescope(self) -> Iterator[Learner]:
        people = self._submitters()
        there = set[str]()
        for entry in self.entries:
            if entry.name == METADATA:
                continue
            submission = as_text(entry.name)
            there.add(submission)
            who = people.get(submission, [])
            if not who and not submission.startswith("submission_"):
                self.left_out.add(entry.name, f"not in {METADATA}")
                continue
            folder, problem = (self._path(entry), "") if entry.kind == FOLDER else (None, str(_not_a_folder(entry)))
            for person in who or [Submitter()]:
                others = tuple(filter(None, (person.name, person.sid, person.email, submission)))
                yield Learner(person.key or submission, folder=folder, known_as=others, problem=problem)
        for submission in sorted(people.keys() - there):
            for person in people[submission]:
                yield Learner(person.key or submission, known_as=(person.name, person.sid, person.email, submission))

    def _submitters(self) -> dict[str, list[Submitter]]:
        try:
            return submitters(self.tree.read((*self.folder, METADATA), MOST_METADATA))
        except DataError as error:
            self.left_out.add(METADATA, f"the learners are named as their folders: {named(str(error.got))}")
            return {}


def _not_a_folder(entry: TreeEntry) -> DataError:
    return DataError(entry.name, "a file" if entry.kind == FILE else entry.kind, "a folder")


def _merged(found: Iterable[Learner]) -> Iterator[Learner]:
    """Put together what belongs to one learner. If two entries contradict each other, that is the learner's problem."""
    groups: dict[str, list[Learner]] = {}
    for learner in found:
        groups.setdefault(learner.name, []).append(learner)
    for name, group in groups.items():
        full = [each for each in group if each.folder is not None or each.zip is not None or each.files or each.problem]
        files = {file: path for each in full for file, path in each.files.items()}
        if len(full) < 2:
            yield (full or group)[0]
        elif len(files) == len(full):  # one file each
            yield Learner(name, files=files, known_as=full[0].known_as)
        else:
            places = [path for each in full for path in (each.folder, each.zip, *each.files.values()) if path]
            words = ", ".join(sorted(named("/".join(path)) for path in places[:5]))
            yield Learner(name, problem=str(DataError(name, f"several entries are this learner's ({words})", "one")))
