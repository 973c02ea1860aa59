# SPDX-License-Identifier: GPL-2.0-only
"""The museum of bugs: bugs of the code of 2007, each with a trigger, a film, what the audits say, and a fix.

`exhibits` lists them. `exhibit` returns one, which shows itself as a card::

    one = exhibit("slot_move_stale")
    one.run()               # what happens, and what the audits say
    one.film()              # the same as a film
    one.film(fixed=True)    # with the fix
    one.lab()               # a lab with it: predict, run, compare

`museum_lab` is a lab with all of them; ``museum_lab(fix_read=mine)`` tries your own fix.

The names are those of the golden traces, where the kernel's own code ran the same scenarios.
"""

from __future__ import annotations

from ..errors import InputError
from . import crashes, livelocks, look_alikes, permissions  # noqa: F401  # each adds its exhibits to the museum
from .exhibit import GROUPS, MUSEUM, Exhibit, exhibit_named, lesson_address
from .museum_lab import museum_lab

__all__ = ["Exhibit", "exhibit", "exhibits", "museum_lab"]


def exhibit(name: str) -> Exhibit:
    """Return an exhibit by name. Raises InputError if there is none of this name."""
    return exhibit_named(name)


class Exhibits(tuple[Exhibit, ...]):
    """Exhibits, shown as a table: name, what happens, what the audits say, what fixed it, and the lesson."""

    __slots__ = ()

    def rows(self) -> list[tuple[str, str, str, str, str]]:
        """Return the rows of the table. Each exhibit runs for this, without its fix."""
        table = []
        for one in self:
            run = one.run()
            said = "silent" if run.silent else ", ".join(run.audits)
            table.append((one.name, one.title, said, one.source, str(one.lesson)))
        return table

    def __str__(self) -> str:
        return "\n".join(f"{name:34} {said:10} {lesson:>2}  {title}" for name, title, said, _, lesson in self.rows())

    __repr__ = __str__

    @property
    def markdown(self) -> str:
        """The table as Markdown, with links to the lessons. For a notebook in notebooks/."""
        source = ", or ".join(dict.fromkeys(one.source_name for one in self)).replace(" W", " w")
        headings = ["Exhibit", "What looks wrong" if source.startswith("W") else "What goes wrong", "Audits", source, "Lesson"]
        lines = [f"| {' | '.join(headings)} |", f"|{' :-- |' * len(headings)}"]
        for name, title, said, source, lesson in self.rows():
            lines.append(f"| `{name}` | {title} | {said} | {source} | {_lesson_link(int(lesson))} |")
        return "\n".join(lines)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/markdown": self.markdown, "text/plain": str(self)}


def _lesson_link(number: int) -> str:
    """Return a link to a lesson as Markdown; its number if there is no notebook."""
    address = lesson_address(number)
    return f"[{number}]({address})" if address else str(number)


def exhibits(group: str = "") -> Exhibits:
    """Return all exhibits, or those of a group: "crashes", "permissions", "livelocks" or "look-alikes". Raises InputError."""
    names = [one.name for one in GROUPS]
    if group and group not in names:
        raise InputError("group", group, f"one of {', '.join(names)}")
    return Exhibits(one for each in GROUPS for one in MUSEUM.values() if one.group is each and group in ("", each.name))
