# SPDX-License-Identifier: GPL-2.0-only
"""The reference of the course: from a term, or a function or lines of the kernel, to lesson, exercise, engine and museum."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import exercises, museum, workspace
from ..errors import InputError
from ..exercises import Exercise
from ..museum import Exhibit
from .course import all_lessons
from .glossary import Term, terms, terms_named
from .kernel_map import SourcePart, lines_in, parts, parts_at
from .lesson import Lesson


@functools.cache
def _exercises(root: Path) -> tuple[Exercise, ...]:
    """Return all exercises of a course. To load one takes 20 ms, and the glossary has 86 entries that ask for all."""
    return tuple(exercises.load(folder) for folder in exercises.folders(root))


@dataclass(frozen=True)
class Reference:
    """What belongs to a term, a function or lines of the kernel. A notebook shows it with links."""

    about: str
    terms: Sequence[Term]
    parts: Sequence[SourcePart]

    @property
    def lessons(self) -> list[Lesson]:
        """The lessons: those that explain the terms, then those that teach the lines."""
        numbers = [*(term.lesson for term in self.terms), *(number for part in self.parts for number in part.lessons)]
        return [lesson for number in dict.fromkeys(numbers) for lesson in all_lessons() if lesson.number == number]

    @property
    def exercises(self) -> list[Exercise]:
        """The exercises in which a learner writes these lines."""
        names = {name for part in self.parts for name in part.exercises}
        return [exercise for exercise in _exercises(workspace.course_root()) if exercise.name in names]

    @property
    def engine(self) -> list[str]:
        """The functions of the engine: "kvmmmu_lab.mmu.rmap.ReverseMap.add"."""
        return [f"kvmmmu_lab.mmu.{name}" for name in dict.fromkeys(name for part in self.parts for name in part.engine)]

    @property
    def exhibits(self) -> list[Exhibit]:
        """The exhibits of the museum whose fault is in these lines."""
        return exhibits_at(self.parts)

    @property
    def markdown(self) -> str:
        """The reference as Markdown, for a notebook in notebooks/."""
        lines = [f"**{term.name}**: {term.meaning}\n" for term in self.terms]
        lines += [f"- `{part.lines}`{_names(part)}: {part.about}" for part in self.parts]
        lines += [""] * bool(self.parts)
        return "\n".join([*lines, *(f"- {name}: {', '.join(found)}" for name, found in self.links().items() if found)])

    def links(self, short: bool = False) -> dict[str, list[str]]:
        """Return the Markdown links and the names of functions, under "Lessons", "Exercises", "Engine" and "Museum".

        Links are in italics: JupyterLab tells them from the text around by colour alone.
        """
        lessons = [(f"Lesson {one.number}" if short else one.title, one.notebook.name) for one in self.lessons]
        exercises = [
            (f"Exercise {one.number}" if short else one.heading, f"../exercises/{one.folder.name}/{one.name}.ipynb")
            for one in self.exercises
        ]
        return {
            "Lessons": [f"*[{words}]({address})*" for words, address in lessons],
            "Exercises": [f"*[{words}]({address})*" for words, address in exercises],
            "Engine": [f"`{name.removeprefix('kvmmmu_lab.mmu.') if short else name}`" for name in self.engine],
            "Museum": [f"*[{one.name}](museum.ipynb)*" for one in self.exhibits],
        }

    def __str__(self) -> str:
        lines = [f"{term.name}: {term.meaning}" for term in self.terms]
        lines += [f"{part.lines}  {part.about}" for part in self.parts]
        rows = {
            "Lessons": [one.title for one in self.lessons],
            "Exercises": [f"{one.number} {one.name}" for one in self.exercises],
            "Engine": self.engine,
            "Museum": [one.name for one in self.exhibits],
        }
        return "\n".join([*lines, *(f"{name}: {', '.join(found)}" for name, found in rows.items() if found)])

    __repr__ = __str__

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/markdown": self.markdown, "text/plain": str(self)}


class ReferenceTable:
    """References as one table: what is looked up, its meaning, and where it leads. For a notebook in notebooks/.

    ``most``: how many exhibits are listed for each.
    """

    def __init__(self, heading: str, rows: Iterable[tuple[str, str, Reference]], most: int | None = None) -> None:
        self.heading, self.rows, self.most = heading, list(rows), most

    @property
    def markdown(self) -> str:
        """The table as Markdown, with links."""
        lines = [f"| {self.heading} |", "| :-- | :-- |"]
        for name, about, one in self.rows:
            found = one.links(short=True)
            exhibits = found["Museum"][: self.most]
            exhibits += [f"{len(found['Museum']) - len(exhibits)} more"] * (len(exhibits) < len(found["Museum"]))
            leads = [*found["Lessons"], *found["Exercises"], *found["Engine"], *exhibits]
            lines.append(f"| {name} | {about}{'<br>→ ' * bool(leads)}{' · '.join(leads)} |")
        return "\n".join(lines)

    def __str__(self) -> str:
        return "\n".join(f"{name.replace('`', '')}: {about}" for name, about, _ in self.rows)

    __repr__ = __str__

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/markdown": self.markdown, "text/plain": str(self)}


def look_up(text: str) -> Reference:
    """Return what the course has about a term, a function of the kernel, or lines such as "mmu.c:315-346".

    Raises InputError for what is in neither the glossary nor the kernel's source.
    """
    if not isinstance(text, str):
        raise InputError("text", text, 'a term ("reverse map"), a function ("rmap_add") or lines ("mmu.c:315-346")')
    found, lines = terms_named(text), parts_at(text)
    if not found and not lines:
        known = [*(name for term in terms() for name in term.names), *(name for part in parts() for name in part.names)]
        near = difflib.get_close_matches(text.strip(), known, n=3)
        hint = f" (did you mean {' or '.join(map(repr, near))}?)" if near else ""
        raise InputError("text", text, f"a term, a function of the kernel, or lines as in 'mmu.c:315-346'{hint}")
    return Reference(text, found, lines or list(dict.fromkeys(part for term in found for part in term.parts)))


def glossary() -> ReferenceTable:
    """Return all terms, in the order of the alphabet, with where each leads."""
    rows = [(f"**{term.name}**", term.meaning, Reference(term.name, [term], term.parts)) for term in terms()]
    return ReferenceTable("term | meaning, and where it leads", rows, most=3)


def source_map(file: str = "mmu.c") -> ReferenceTable:
    """Return all lines of a source file of the kernel, with where they are taught, modelled, written and shown to be wrong."""
    chosen = [part for part in parts() if part.file == file]
    if not chosen:
        raise InputError("file", file, "'mmu.c' or 'paging_tmpl.h'")
    rows = []
    for part in chosen:
        rows.append((f"`{part.first}-{part.last}`", f"{part.about}{_names(part)}", Reference(part.lines, [], [part])))
    return ReferenceTable("lines | what they do, and where it leads", rows)


def exhibits_at(places: Iterable[SourcePart]) -> list[Exhibit]:
    """Return the exhibits of the museum that cite lines of these parts."""
    wanted = list(places)
    return [one for one in museum.exhibits() if any(part.overlaps(*lines) for lines in lines_in(one.lines) for part in wanted)]


def _names(part: SourcePart) -> str:
    return f" ({', '.join(f'`{name}`' for name in part.names)})" if part.names else ""
