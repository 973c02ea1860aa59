# SPDX-License-Identifier: GPL-2.0-only
"""A collection: finds out who handed in what in a folder, or a zip, of submissions, and reads it, one learner at a time.

This is the only place that touches the folder of submissions. It follows no link, reads bounded amounts, and parses neither
Python nor notebooks. What can't be read becomes a hand-in with a problem, so that the learner gets a mark with a reason.
"""

from __future__ import annotations

import contextlib
import io
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..check.sandbox import limits
from ..errors import DataError, InputError
from ..files import open_regular, reason
from .class_layout import MOST_LEARNERS, ClassLayout, Learner
from .folder_tree import FolderTree
from .hand_in import HandIn
from .learner_files import MOST_ZIP, LearnerFiles, name_of
from .omissions import named
from .portable_name import as_text
from .tree import Below, Chosen, Tree
from .zip_tree import ZipTree

MOST_DOWNLOAD = 1 << 40
"""The maximum size of a zip of all submissions, which is read in pieces."""


class Collection:
    """The hand-ins of all ``learners`` for all ``exercises``; ``layout`` says in words how the submissions are laid out."""

    def __init__(self, folder: Path, exercises: Sequence[str], layout: ClassLayout, learners: Sequence[Learner]) -> None:
        self.folder, self.exercises, self.layout = folder, tuple(exercises), layout.words
        self.learners = tuple(learner.name for learner in learners)
        self._learners, self._left_out, self._hidden = tuple(learners), (*layout.tree.notes, *layout.left_out.sentences), 0

    def __len__(self) -> int:
        return len(self.learners) * len(self.exercises)

    @property
    def hand_ins(self) -> Iterator[HandIn]:
        """A new iterator over the hand-ins: for each learner in order, one for each exercise. Each is read when it is due."""
        self._hidden = 0
        with _opened(self.folder) as tree:
            for learner in self._learners:
                yield from self._of(learner, tree)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out, in sentences without full stops. It is complete when all hand-ins were read.

        What concerns one learner is in the notes of the hand-in.
        """
        hidden = f"left out: {self._hidden:,} hidden or compiled files and folders of learners" if self._hidden else ""
        return tuple(map(as_text, filter(None, (*self._left_out, hidden))))

    def _of(self, learner: Learner, tree: Tree) -> Iterator[HandIn]:
        problem, files = learner.problem, None
        try:
            files = None if problem else _files(learner, tree, self.exercises)
        except DataError as error:
            problem = str(error)
        except Exception as error:  # the net below: no learner's files may end the run
            problem = f"what was handed in can't be read: {reason(error)}"
        for exercise in self.exercises:
            yield _hand_in(learner, exercise, files, problem)
        if files is not None:
            self._hidden += files.hidden


def collect(folder: Path, exercises: Sequence[str], only: str | None = None) -> Collection:
    """Return what was handed in for the ``exercises`` ("04_rmap_add") in a folder or a zip of submissions (see `class_layout`).

    ``only`` is one learner's name, or the number, the address or the folder in place of it. Raises InputError or DataError if
    there is no such folder, or no such learner.
    """
    limits.values()  # a limit that is no number is an error here, and not a problem of each learner
    if not exercises:
        raise InputError("exercises", list(exercises), "at least one exercise")
    with _opened(folder) as tree:
        layout = ClassLayout(tree, folder.resolve().name.removesuffix(".zip"), exercises)
    learners = layout.learners if only is None else [_chosen(only, layout.learners)]
    return Collection(folder, exercises, layout, learners)


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[Tree]:
    """The tree of all submissions. Raises DataError."""
    if folder.is_dir():
        yield FolderTree(folder)
    elif folder.suffix.lower() == ".zip":
        with open_regular(folder, MOST_DOWNLOAD) as file, ZipTree(file, folder.name, MOST_LEARNERS) as tree:
            yield tree
    else:
        got = "neither a folder nor a zip" if folder.exists() else "no such folder"
        raise DataError(str(folder), got, "the folder, or the zip, with what the learners handed in")


def _chosen(only: str, learners: Sequence[Learner]) -> Learner:
    wanted = _composed(only)
    found = [learner for learner in learners if _composed(learner.name) == wanted]
    found = found or [learner for learner in learners if wanted in map(_composed, learner.known_as)]
    if len(found) == 1:
        return found[0]
    names = [named(learner.name) for learner in (found or learners)]
    more = f" and {len(names) - 5:,} more" if len(names) > 5 else ""
    there = f"one of the learners in the folder: {', '.join(names[:5])}{more}" if names else "a learner; there are none"
    raise InputError("only", only, there)


def _composed(name: str) -> str:
    """Return a name with composed letters: macOS writes them decomposed into zips."""
    return unicodedata.normalize("NFC", name)


def _files(learner: Learner, tree: Tree, exercises: Sequence[str]) -> LearnerFiles:
    """Return what a learner handed in. Raises DataError."""
    if learner.zip is not None:
        name = tree.place(learner.zip)
        content = io.BytesIO(tree.read(learner.zip, MOST_ZIP))
        return LearnerFiles(ZipTree(content, name), name, exercises, in_zip=True)
    if learner.folder is not None:
        return LearnerFiles(Below(tree, learner.folder), tree.place(learner.folder) or learner.name, exercises)
    return LearnerFiles(Chosen(tree, learner.files), learner.name, exercises)


def _hand_in(learner: Learner, exercise: str, files: LearnerFiles | None, problem: str) -> HandIn:
    if files is not None:
        try:
            return files.hand_in(learner.name, exercise)
        except Exception as error:  # as above
            problem = f"what was handed in can't be read: {reason(error)}"
    return HandIn(learner.name, name_of(exercise), problem=as_text(problem))
