# SPDX-License-Identifier: GPL-2.0-only
"""The files of one learner: finds the file that counts for an exercise, and those beside it.

For the exercise 04_rmap_add it is rmap_add.py or rmap_add.ipynb. The first place where one of them is counts:

1. a folder 04_rmap_add, such as exercises/04_rmap_add/ in a copy of the working folder
2. any other folder; one nearer to the top comes before those in it
3. a zip, if there is none outside of zips

If there is none, a file counts whose name differs as a browser or a person changes it: "rmap_add (1).py", "RMAP_ADD.py".
Two files that could count with equal right are a problem: the collector does not guess.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..check.sandbox.limits import HELPER_FILES, HELPERS, SOURCE
from ..errors import DataError
from ..files import MOST_BYTES
from .hand_in import HandIn
from .omissions import Omissions, enumerated, named
from .portable_name import as_text, is_portable, same_file
from .tree import FILE, FOLDER, MOST_DEPTH, MOST_ENTRIES, OverLimit, Parts, Tree
from .zip_tree import ZipTree

MOST_ZIP = 64 << 20
"""The maximum size of all zips of one learner."""

MOST_ZIPS = 5
"""The maximum number of zips in a learner's folder that are looked into."""

COPY = r"(?: ?\(\d+\)|-Copy\d+| - Copy)?"
"""What programs append to the name of a file if there is one of this name."""

ENDINGS = (".py", ".ipynb")
"""The endings of files that can be judged."""

ENDING = r"\.py|\.ipynb"


def is_left_out(name: str) -> bool:
    """Whether a file or a folder is one that programs make on their own: hidden files, compiled ones, those of macOS."""
    return name.startswith(".") or name in ("__MACOSX", "__pycache__")


@dataclass
class Found:
    """All files of a tree that may be taken: ``files``, and ``zips``, both from the top down. ``refused`` are other entries.

    ``hidden`` counts those that `is_left_out`. ``cut`` says why not all of the tree was looked at, "" if it was.
    """

    files: list[Parts] = field(default_factory=list)
    zips: list[Parts] = field(default_factory=list)
    refused: dict[Parts, str] = field(default_factory=dict)
    hidden: int = 0
    cut: str = ""


def look_through(tree: Tree) -> Found:
    """Find all files, level by level. Raises DataError if the tree's own folder can't be read."""
    found, left = Found(), MOST_ENTRIES
    level: list[Parts] = [()]
    for _ in range(MOST_DEPTH):
        below: list[Parts] = []
        for folder in level:
            try:
                entries = tree.entries(folder, left)
            except OverLimit:
                found.cut = f"more than {MOST_ENTRIES:,} files and folders"
                return found
            except DataError as error:
                if not folder:
                    raise
                found.refused[folder] = str(error.got)
                continue
            left -= len(entries)
            for entry in entries:
                path = (*folder, entry.name)
                if is_left_out(entry.name):
                    found.hidden += 1
                elif entry.kind == FOLDER:
                    below.append(path)
                elif entry.kind != FILE:
                    found.refused[path] = entry.kind
                elif entry.name.lower().endswith(".zip"):
                    found.zips.append(path)
                else:
                    found.files.append(path)
        level = below
    if level:
        found.cut = f"folders more than {MOST_DEPTH} deep"
    return found


@dataclass(frozen=True)
class Choice:
    """The files that count for an exercise: by their endings, the path of each in ``tree``. They are in one folder.

    ``others`` are files that would count if these were not there.
    """

    tree: Tree
    found: Found
    folder: Parts
    paths: Mapping[str, Parts]
    others: tuple[Parts, ...]

    def hand_in(self, learner: str, name: str) -> HandIn:
        """Return the hand-in for the exercise ``name``, with the files beside the one that counts."""
        files: dict[str, bytes] = {}
        problems, notes = [], []
        for ending, path in self.paths.items():
            try:
                files[name + ending] = self.tree.read(path, SOURCE.bytes if ending == ".py" else MOST_BYTES)
            except DataError as error:
                problems.append(str(error))
            if path[-1] != name + ending:
                notes.append(f"{named(path[-1])} counts as {name + ending}")
        if self.others:
            said = enumerated(["/".join(path) for path in self.others])
            counting = " and ".join("/".join(path) for path in self.paths.values())
            notes.append(f"{named(counting)} counts; these do not: {said}")
        place = as_text(self.tree.place(next(iter(self.paths.values()))))
        if not files:
            return HandIn(learner, name, place=place, problem=as_text(problems[0]), notes=tuple(map(as_text, notes)))
        main, notebook = next(iter(files)), name + ".ipynb" if len(files) > 1 else ""
        notes += [*problems, *self._beside(files), *self.tree.notes]
        return HandIn(learner, name, files, main, notebook, place, notes=tuple(map(as_text, notes)))

    def _beside(self, files: dict[str, bytes]) -> list[str]:
        """Add the files below the folder, modules first, as far as they are within the limits. Say what is left out."""
        left_out, taken, deep = Omissions(), {same_file((name,)): True for name in files}, len(self.folder)
        there = [path for path in self.found.files if path[:deep] == self.folder and path not in self.paths.values()]
        room, most = HELPERS.bytes, len(files) + int(HELPER_FILES.value)
        for path in sorted(there, key=lambda path: (not path[-1].endswith(".py"), len(path), path)):
            inner = path[deep:]
            name = "/".join(inner)
            if name.lower().endswith(".ipynb"):  # another exercise, or a copy: no program imports it
                continue
            if len(files) == most:
                left_out.add(name, f"the limit for files beside a submission is {HELPER_FILES.words}")
            elif not is_portable(inner):
                left_out.add(name, "not every system can have a file of this name")
            elif not _is_free(same_file(inner), taken):
                left_out.add(name, "on some systems, another file has the same name")
            else:
                try:
                    files[name] = self.tree.read(path, room)
                    room -= len(files[name])
                except OverLimit:
                    left_out.add(name, f"the limit for the files beside a submission is {HELPERS.words}")
                except DataError as error:
                    left_out.add(name, str(error.got))
        for path, what in sorted(self.found.refused.items()):
            if path[:deep] == self.folder:
                left_out.add("/".join(path[deep:]), what)
        return [*left_out.sentences, *([f"not everything was looked at: {self.found.cut}"] if self.found.cut else [])]


def _is_free(path: Parts, taken: dict[Parts, bool]) -> bool:
    """Whether a file can be at a path beside those in ``taken``, True for a file and False for a folder; it is added."""
    above = [path[:number] for number in range(1, len(path))]
    if path in taken or any(taken.get(folder) for folder in above):
        return False
    taken.update(dict.fromkeys(above, False))
    taken[path] = True
    return True


class LearnerFiles:
    """What one learner handed in, in ``tree``. ``place`` names it in messages. ``exercises`` are the folders of all exercises.

    ``in_zip``: whether the tree is a zip, so that a zip in it would be one in a zip. Raises DataError if nothing can be read.
    """

    def __init__(self, tree: Tree, place: str, exercises: Sequence[str], *, in_zip: bool = False) -> None:
        self.tree, self.place, self.exercises, self.in_zip = tree, place, exercises, in_zip
        self.found = look_through(tree)
        self.sources = [path for path in self.found.files if path[-1].lower().endswith(ENDINGS)]
        self.zip_problems: list[str] = []
        self._zips: list[LearnerFiles] | None = None

    def hand_in(self, learner: str, exercise: str) -> HandIn:
        """Return what is there for the ``exercise`` ("04_rmap_add")."""
        name = name_of(exercise)
        try:
            choice = self._choice(exercise) or self._choice_in_zips(exercise)
            if choice is not None:
                return choice.hand_in(learner, name)
            problem, notes = self._why_none(exercise), self._others()
        except DataError as error:
            problem, notes = str(error), ()
        return HandIn(learner, name, place=as_text(self.place), problem=as_text(problem), notes=tuple(map(as_text, notes)))

    def _choice(self, exercise: str) -> Choice | None:
        """Return the files that count outside of zips, None if there are none. Raises DataError if several could."""
        name = name_of(exercise)
        pattern = re.compile(f"{re.escape(name)}{COPY}({ENDING})", re.IGNORECASE | re.ASCII)
        named_so = [(path, match[1].lower()) for path in self.sources if (match := pattern.fullmatch(path[-1]))]
        exact = [(path, ending) for path, ending in named_so if path[-1] == name + ending]
        folders: dict[Parts, dict[str, list[Parts]]] = {}
        for path, ending in exact or named_so:
            folders.setdefault(path[:-1], {}).setdefault(ending, []).append(path)
        return self._best(folders, exercise, [path for path, _ in named_so]) if folders else None

    def _best(self, folders: dict[Parts, dict[str, list[Parts]]], exercise: str, all_named_so: list[Parts]) -> Choice:
        def rank(folder: Parts) -> tuple[bool, int]:
            return folder[-1:] != (exercise,), len(folder)

        first = min(map(rank, folders))
        best = [folder for folder in folders if rank(folder) == first]
        places = [found for folder in best for found in folders[folder].values()]
        if len(best) > 1 or any(len(found) > 1 for found in places):
            names = enumerated(["/".join(path) for found in places for path in found])
            raise DataError(self.place, f"several files could count for {exercise} ({names})", "one of them")
        paths = {ending: folders[best[0]][ending][0] for ending in ENDINGS if ending in folders[best[0]]}
        others = tuple(path for path in all_named_so if path not in paths.values())
        return Choice(self.tree, self.found, best[0], paths, others)

    def _choice_in_zips(self, exercise: str) -> Choice | None:
        """As `_choice`, in the zips that are in the folder."""
        choices = [choice for each in self.zips if (choice := each._choice(exercise)) is not None]
        if len(choices) > 1:
            names = enumerated([choice.tree.place(()) for choice in choices])
            raise DataError(self.place, f"several zips have files for {exercise} ({names})", "one of them")
        return choices[0] if choices else None

    @property
    def zips(self) -> list[LearnerFiles]:
        """The zips in the folder, opened when they are needed. What is wrong with others is in ``zip_problems``."""
        if self._zips is None:
            self._zips, left = [], MOST_ZIP
            for number, path in enumerate(self.found.zips):
                name = self.tree.place(path)
                try:
                    if self.in_zip:
                        raise DataError(name, "a zip in a zip", "the files themselves, or one zip of them")
                    if number == MOST_ZIPS:
                        raise DataError(self.place, f"more than {MOST_ZIPS} zips", "the files themselves, or one zip of them")
                    content = self.tree.read(path, left)
                    left -= len(content)
                    self._zips.append(LearnerFiles(ZipTree(io.BytesIO(content), name), name, self.exercises, in_zip=True))
                except DataError as error:
                    self.zip_problems.append(str(error))
                    if self.in_zip or number == MOST_ZIPS:
                        break
        return self._zips

    @property
    def hidden(self) -> int:
        """The number of files and folders that `is_left_out`."""
        return sum(each.found.hidden for each in (self, *(self._zips or ())))

    @property
    def _all(self) -> list[LearnerFiles]:
        return [self, *self.zips]

    def _why_none(self, exercise: str) -> str:
        """Return why nothing was found for an exercise, "" if nothing is there."""
        files = {name_of(exercise) + ending for ending in ENDINGS}
        for each in self._all:
            refused = sorted(each.found.refused.items(), key=lambda item: (item[0][-1] not in files, item))
            for path, what in refused:
                if path[-1] in files or path[-1] == exercise or path == ("exercises",):
                    return str(DataError(each.tree.place(path), what, "the file itself, in a folder that is no link"))
            if each.found.cut:
                return str(DataError(each.place, each.found.cut, "only the files that you hand in"))
            if len(each.zips) < len(each.found.zips):
                return each.zip_problems[0]
        return ""

    def _others(self) -> tuple[str, ...]:
        """Say which files are there that count for no exercise, and what is left out of zips."""
        known = {name_of(exercise) + ending for exercise in self.exercises for ending in ENDINGS}
        sources = [path for each in self._all for path in each.sources if path[-1] not in known]
        said = (f"there is no file of this exercise, but {enumerated([path[-1] for path in sources])}",) if sources else ()
        return (*said, *(note for each in self._all for note in each.tree.notes))


def name_of(exercise: str) -> str:
    """Return the name of an exercise without its number: "rmap_add" of "04_rmap_add"."""
    return exercise.partition("_")[2]
