# SPDX-License-Identifier: GPL-2.0-only
"""The release: the kit that learners get, made from the kit that runs, a checkout or an installed one.

It has the package, the lessons, and the exercises of the course with their tasks, stubs, hints and checkers. It does not have
the tests with right and wrong solutions, the tools of those who change the kit, notes for teachers, and outputs of notebooks.
The grader stays in: it holds no solution and no mark, GitHub and Gradescope grade with it, and a learner can see what it sees.
The same course gives the same files, byte for byte.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import zipfile
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Any

from .. import course_settings, exercises, workspace
from ..course_settings import CourseSettings
from ..errors import InputError, LabError
from ..exercises import Exercise
from ..files import parse_json, read_bytes, reading, reason, replace_file
from .learner_project import learner_project, licence

SETTINGS = f"exercises/{course_settings.NAME}"
WORKFLOW = ".github/workflows/grade.yml"
REPOSITORY = re.compile(r"[A-Za-z0-9](?:-?[A-Za-z0-9])*/[A-Za-z0-9._-]+")
"""Matches a repository on GitHub, such as "school/kvmmmu-kit"."""

LINK = re.compile(r"\[([^\]]+)\]\((?:\.\./)*(?:exercises/)?(\d\d_\w+)/[^)]*\)")
"""Matches a link to an exercise: its words, and the exercise's folder."""

ROW = re.compile(r"^\| (\w+) \| \d+(?: extra)? \|", re.MULTILINE)
"""Matches the beginning of a row in a table of rules and points."""

LESSONS, EXERCISES = workspace.PARTS
PACKAGE = workspace.PACKAGE.name


class Release:
    """The learners' kit of a course: its ``files``, by name. ``exercises`` are those of the course.

    ``github``: the repository ("school/kvmmmu-kit") where the kit is, for a workflow that grades what learners push.
    """

    def __init__(self, settings: CourseSettings, github: str = "") -> None:
        if github and not REPOSITORY.fullmatch(github):
            raise InputError("github", github, "the repository of the kit, such as school/kvmmmu-kit")
        self.settings, self.github, self.root = settings, github, workspace.course_root()
        exercises.check_settings(settings, self.root)
        every = [exercises.load(folder, settings) for folder in exercises.folders(self.root)]
        self.exercises = [one for one in every if one.name in (settings.exercises or [one.name])]
        self.absent = {one.folder.name for one in every if one not in self.exercises}
        self.sources: dict[str, Path] = {}
        self.files = dict(sorted(self._files().items()))

    def _files(self) -> dict[str, bytes]:
        found = {name: read_bytes(path) for name, path in self._package()}
        for name, path in workspace.course_files(self.root).items():
            parts = PurePosixPath(name).parts
            if name != SETTINGS and not (len(parts) > 2 and parts[1] in self.absent):
                self.sources[name] = path
                found[name] = self._course_file(name, path)
        if self.settings != CourseSettings():
            found[SETTINGS] = course_settings.as_toml(self.settings).encode()
        found["pyproject.toml"] = learner_project().text.encode()
        found["LICENSE"] = licence()
        found[".gitignore"] = kit_file("gitignore").encode()
        found["README.md"] = self._readme().encode()
        if self.github:
            found[WORKFLOW] = kit_file("grade.yml").replace("@KIT@", self.github).encode()
        return found

    def _package(self) -> Iterable[tuple[str, Path]]:
        for path in sorted(workspace.PACKAGE.rglob("*")):
            relative = path.relative_to(workspace.PACKAGE)
            left_out = any(part.startswith(".") or part in ("__pycache__", "_course") for part in relative.parts)
            if not left_out and path.is_file() and path.suffix != ".pyc":
                yield f"{PACKAGE}/{relative.as_posix()}", path

    def _course_file(self, name: str, path: Path) -> bytes:
        content = read_bytes(path)
        if name.endswith(".ipynb"):
            return self._notebook(path, content)
        if name.endswith(".md"):
            with reading(path, "text in UTF-8"):
                return self._text(path, content.decode("utf-8")).encode()
        return content

    def _notebook(self, path: Path, content: bytes) -> bytes:
        """A notebook without outputs and without notes for teachers. If nothing has to be changed, its bytes stay the same."""
        with reading(path, "a notebook"):
            book = parse_json(content, finite=False)
            before = json.dumps(book)
            book["cells"] = [cell for cell in book["cells"] if not is_for_teachers(cell)]
            book["metadata"].pop("widgets", None)
            for cell in book["cells"]:
                if cell["cell_type"] == "code":
                    cell["outputs"], cell["execution_count"] = [], None
                elif self.absent:
                    text = "".join(cell["source"])
                    if self._unlinked(text) != text:
                        cell["source"] = self._unlinked(text).splitlines(keepends=True)
            if json.dumps(book) == before:
                return content
            return f"{json.dumps(book, indent=1, ensure_ascii=False)}\n".encode()

    def _text(self, path: Path, text: str) -> str:
        """A text with the course's points, and without links to exercises that aren't in the course."""
        lines = text.splitlines(keepends=True)
        text = "".join(line for line in lines if not (line.startswith("|") and self._links_to(line) & self.absent))
        text = self._unlinked(text)
        exercise = next((one for one in self.exercises if one.folder == path.parent), None)
        if exercise is None or path.name != "README.md":
            return text
        rules = {rule.name: f"{rule.points}{' extra' * (rule.extra and rule.points > 0)}" for rule in exercise.rules}
        return ROW.sub(lambda row: f"| {row[1]} | {rules[row[1]]} |" if row[1] in rules else row[0], text)

    def _links_to(self, text: str) -> set[str]:
        return {found[2] for found in LINK.finditer(text)}

    def _unlinked(self, text: str) -> str:
        return LINK.sub(lambda link: link[1] if link[2] in self.absent else link[0], text)

    def _readme(self) -> str:
        rows = ["| exercise | points |", "| --- | --- |"]
        for one in self.exercises:
            extra = sum(rule.points for rule in one.rules if rule.extra)
            more = f", and {extra} extra" if extra else ""
            rows.append(f"| [{one.number} {one.title}](exercises/{one.folder.name}/README.md) | {one.points}{more} |")
        push = "\nIf you push to GitHub, `.github/workflows/grade.yml` grades it: see the Actions of your repository.\n"
        text = kit_file("README.md").replace("@TITLE@", self.settings.title or "kvmmmu_lab")
        return text.replace("@EXERCISES@", "\n".join(rows)).replace("@PUSH@", push if self.github else "")

    def write(self, out: Path) -> None:
        """Write the kit into a new or an empty folder, as a whole. Raises InputError, and LabError if it can't be written."""
        check_new(out)
        part = out.resolve().with_name(f".{out.resolve().name}.part")
        try:
            part.parent.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(part, ignore_errors=True)
            for name, content in self.files.items():
                (part / name).parent.mkdir(parents=True, exist_ok=True)
                (part / name).write_bytes(content)
            if out.exists():
                out.rmdir()
            os.replace(part, out)
        except OSError as error:
            shutil.rmtree(part, ignore_errors=True)
            raise LabError(f"the kit can't be written to {out} ({reason(error)}); choose another folder with --out") from error


def is_for_teachers(cell: Mapping[str, Any]) -> bool:
    """Whether a cell of a notebook has notes for those who teach."""
    shown = cell.get("metadata", {}).get("slideshow", {})
    return isinstance(shown, dict) and shown.get("slide_type") == "notes"


def kit_file(name: str) -> str:
    """The text of a file that comes with the kit for a release."""
    return (files(__package__) / "kit_files" / name).read_text("utf-8")


def check_new(out: Path) -> None:
    """Raise InputError unless a folder is new or empty, and outside the kit that runs."""
    try:
        there = os.path.lexists(out) and (not out.is_dir() or out.is_symlink() or any(out.iterdir()))
    except OSError as error:
        raise InputError("out", str(out), f"a folder that you can read ({reason(error)})") from None
    if there:
        raise InputError("out", str(out), "a new or an empty folder; --check looks into a kit that is there already")
    for place in (workspace.PACKAGE, *(workspace.course_root() / part for part in workspace.PARTS)):
        if out.resolve().is_relative_to(place.resolve()):
            raise InputError("out", str(out), f"a folder outside {place}, since all in it is released")


# For the instructor


def write_gradescope(release: Release, path: Path) -> None:
    """Write the autograder for Gradescope: a zip with the kit and the course's file, grading settings and all.

    Raises InputError if there is a file, and LabError if it can't be written.
    """
    if os.path.lexists(path):
        raise InputError("gradescope", str(path), "a new file: remove it first if you don't need it")
    content = {f"kit/{name}": own for name, own in release.files.items()}
    content |= {name: kit_file(name).encode() for name in ("setup.sh", "run_autograder", "requirements.txt")}
    if release.settings.file:
        content[course_settings.NAME] = read_bytes(Path(release.settings.file))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, zipped(content, executable={"setup.sh", "run_autograder"}))
    except OSError as error:
        raise LabError(f"the autograder can't be written to {path} ({reason(error)}); choose another file") from error


def zipped(content: Mapping[str, bytes], executable: Iterable[str] = ()) -> bytes:
    """A zip of these files. The same files give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(content):
            entry = zipfile.ZipInfo(name)  # of 1980
            entry.external_attr = (0o100755 if name in executable else 0o100644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            archive.writestr(entry, content[name])
    return buffer.getvalue()


def example_course(every: Iterable[Exercise]) -> str:
    """A course's file with comments, and with the points that the exercises have."""
    every = list(every)
    lines = [
        "# A course of kvmmmu-lab. Leave out what shall stay as it is in the kit; all lines below say what it is there.",
        "",
        'title = "Shadow page tables"',
        "",
        "# The seed of the random scenarios with which solutions are checked: any whole number.",
        "seed = 0",
        "",
        "# The exercises that learners get, and that count. Without this line: all.",
        f"exercises = [{', '.join(json.dumps(one.name) for one in every)}]",
        "",
        "# Rules whose points are extra: they don't count towards the full points.",
        "[extra]",
        *(f"{one.name} = [{', '.join(json.dumps(rule.name) for rule in one.rules if rule.extra)}]" for one in every),
        "",
        "# The points of each rule. A rule with 0 points is checked and explained, but doesn't count.",
    ]
    for one in every:
        lines += ["", f"[points.{one.name}]"]
        width = max(len(f"{rule.name} = {rule.points}") for rule in one.rules)
        lines += [f"{f'{rule.name} = {rule.points}':<{width}}  # {rule.says}" for rule in one.rules]
    lines += [
        "",
        "# What only `kvmmmu-lab grade --course` uses. It is never released. With another seed than above, learners can't",
        "# try out the random scenarios that decide about their marks.",
        "[grading]",
        "seed = 0",
        "timeout = 15  # seconds for one check",
    ]
    return "\n".join(lines) + "\n"
