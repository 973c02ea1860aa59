# SPDX-License-Identifier: GPL-2.0-only
"""The judge's report: verdicts with their points, and the explanation of each failure, as text or HTML."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..exercises import Exercise, Rule
from ..host_platform import HERE
from ..printable import escaped_html, printable, shortened
from .explain import is_call
from .failure import CRASHED, FAILED, NOT_ATTEMPTED, PASSED, TIMED_OUT, Failure
from .observe import Difference
from .sandbox.limits import not_enforced
from .submission import Submission

if TYPE_CHECKING:
    from ..draw.scene import Scene

SIGNS = {PASSED: "✓", FAILED: "✗", CRASHED: "!", TIMED_OUT: "…", NOT_ATTEMPTED: "·"}
WIDTH, TWO_COLUMNS = 110, 112
"""The maximum width in characters of a line of text, and of a line with two columns."""

MOST = 12
"""The maximum number of lines shown of a value, or of a submission's output."""

LONGEST = 200
"""The maximum number of characters shown of a raw value."""

EXPECTED, GOT = "Expected:", "With your code:"
NOTHING_WRITTEN = "Nothing is written yet."
IN_KERNEL = (
    "your code ran in the notebook's own Python, where only its time is limited, and where it can use the kit's own version "
    "of the part"
)
OWN_MARK = "this mark is for you: a teacher who wants proof runs the check again"
"""Whoever has a browser tab can change all that it shows."""

IN_TAB = "your code ran in a browser tab, which doesn't limit its memory and its files as a check on a computer does"


@dataclass(frozen=True)
class Verdict:
    """The result of trying one rule: its ``status``, and the failure if it did not pass."""

    rule: Rule
    status: str
    failure: Failure | None = None
    seconds: float = 0.0

    @property
    def points(self) -> int:
        """Points earned."""
        return self.rule.points if self.status == PASSED else 0

    @property
    def line(self) -> str:
        """The verdict in one line."""
        extra = " extra" if self.rule.extra else ""
        return f"{SIGNS[self.status]} {self.points}/{self.rule.points}{extra}  {self.rule.says}"


@dataclass(frozen=True)
class Report:
    """All verdicts on a submission. ``printed`` is the beginning of its output, ``print_count`` the total length.

    ``no_wall``: the reason why its workers had no `wall`, or "". ``in_tab``: whether it was judged in a browser tab.
    ``no_worker``: the reason why it ran in the notebook's own Python there, or "".
    """

    exercise: Exercise
    submission: Submission
    verdicts: tuple[Verdict, ...]
    printed: str = ""
    print_count: int = 0
    seconds: float = 0.0
    no_wall: str = ""
    in_tab: bool = False
    no_worker: str = ""

    @property
    def points(self) -> int:
        """Points earned, without the extra points."""
        return sum(verdict.points for verdict in self.verdicts if not verdict.rule.extra)

    @property
    def extra(self) -> int:
        """Extra points."""
        return sum(verdict.points for verdict in self.verdicts if verdict.rule.extra)

    @property
    def passed(self) -> bool:
        """Whether the submission has full points."""
        return self.points == self.exercise.points

    @property
    def status(self) -> str:
        """The worst status of all rules. It is "not attempted" only if no rule was attempted."""
        found = {verdict.status for verdict in self.verdicts if not verdict.rule.extra}
        if len(found) == 1:
            return found.pop()
        return next((status for status in (TIMED_OUT, CRASHED) if status in found), FAILED)

    @property
    def head(self) -> str:
        """The first line of the report: exercise, points, status."""
        full, extra = self.exercise.points, sum(rule.points for rule in self.exercise.rules if rule.extra)
        more = f", and {self.extra} of {extra} extra" if extra else ""
        return f"{self.exercise.number} {self.exercise.title}: {self.points} of {full} points{more} ({self.status})"

    @property
    def first(self) -> Verdict | None:
        """The verdict on the first rule that did not pass, which is the one to fix first."""
        return next((verdict for verdict in self.verdicts if verdict.status != PASSED and not verdict.rule.extra), None)

    def __str__(self) -> str:
        """The report as text: one line for each verdict, then the failure to fix first."""
        lines = [self.head, *self.submission.notes, "", *(verdict.line for verdict in self.verdicts)]
        wrong = self.first or next((verdict for verdict in self.verdicts if verdict.failure is not None), None)
        if self.status == NOT_ATTEMPTED:
            lines += ["", NOTHING_WRITTEN]
        elif wrong is not None:
            lines += ["", *explained(wrong, self.exercise).splitlines()]
        if self.print_count:
            lines += ["", *self.printed_lines()]
        lines += ["", *(line for note in self.said_of_tab for line in textwrap.wrap(note, WIDTH))] if self.in_tab else []
        return printable("\n".join(lines))

    def printed_lines(self) -> list[str]:
        """The lines of the submission's output, or of its beginning."""
        if not self.print_count:
            return []
        if any(verdict.failure is not None and verdict.failure.printed for verdict in self.verdicts):
            return [f"Your code printed {self.print_count:,} bytes in total."]
        more = ", beginning with" if self.print_count > len(self.printed.encode()) else ""
        return [f"Your code printed {self.print_count:,} bytes{more}:", *_beginning(self.printed)]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": str(self), "text/html": html_of(self)}

    @property
    def notes(self) -> list[str]:
        """Notes about what the mark is worth in a browser tab, and about limits that could not be enforced."""
        if self.no_worker:
            return [OWN_MARK, f"{IN_KERNEL}: {self.no_worker}"]
        if self.in_tab:
            return [OWN_MARK, IN_TAB]
        missing = not_enforced(self.no_wall)
        return [f"not enforced on this machine: {', '.join(missing)}"] if missing else []

    @property
    def said_of_tab(self) -> list[str]:
        """The sentences that a report from a browser tab ends with; the report of another check has none."""
        return [f"{capital(note)}." for note in self.notes] if self.in_tab else []

    def as_data(self) -> dict[str, Any]:
        """The report as JSON data."""
        return {
            "exercise": self.exercise.name,
            "submission": self.submission.name,
            "status": self.status,
            "points": self.points,
            "of": self.exercise.points,
            "extra": self.extra,
            "seconds": round(self.seconds, 3),
            "rules": [
                {
                    "rule": verdict.rule.name,
                    "says": verdict.rule.says,
                    "status": verdict.status,
                    "points": verdict.points,
                    "of": verdict.rule.points,
                    "extra": verdict.rule.extra,
                    "message": verdict.failure.sentence if verdict.failure else "",
                    "steps": list(verdict.failure.steps) if verdict.failure else [],
                }
                for verdict in self.verdicts
            ],
            "printed": self.print_count,
            "notes": [*self.submission.notes, *self.notes],
        }


def _beginning(printed: str) -> list[str]:
    """The first lines of the printed output."""
    lines = textwrap.indent(printed, "    ").splitlines()
    return lines[:MOST] + ["    ..."] * (len(lines) > MOST)


def hint_command(exercise: Exercise) -> str:
    """What prints a hint: a command, or in a browser tab, which has no terminal, the lines of a cell."""
    if HERE.can_start_programs:
        return f"For a hint: kvmmmu-lab hint {exercise.name}"
    return f'For a hint: from kvmmmu_lab.check import hint; hint("{exercise.name}")'


def headline(verdict: Verdict) -> str:
    """The first line of a failure: its status and its rule."""
    return f"{SIGNS[verdict.status]} {verdict.status.capitalize()}: {verdict.rule.says}"


def same_failures(report: Report) -> list[list[Verdict]]:
    """The verdicts with an explanation, in groups that fail for the same reason: the same exception in the same line.

    Rules without extra points come first.
    """
    found: dict[Any, list[Verdict]] = {}
    for verdict in sorted(report.verdicts, key=lambda verdict: verdict.rule.extra):
        failure = verdict.failure
        if failure is None or failure.kind == "unwritten":
            continue
        error = failure.error
        place = (failure.kind, error.get("type"), error.get("file"), error.get("line"), error.get("function"))
        same = failure.difference is None and failure.kind not in ("differs", "silent")
        found.setdefault(place if same else verdict.rule.name, []).append(verdict)
    return list(found.values())


def explained(verdict: Verdict, exercise: Exercise, others: Sequence[Verdict] = ()) -> str:
    """Explain a failed rule for a terminal: the rule, a sentence, the steps, the expected and actual values, and a hint.

    ``others`` are verdicts on rules that fail for the same reason.
    """
    failure = verdict.failure
    if failure is None:
        return headline(verdict)
    lines = [headline(verdict)]
    lines += textwrap.wrap(f"{capital(failure.sentence)}.", WIDTH, initial_indent="  ", subsequent_indent="  ")
    if failure.where:
        lines.append(f"  This happened {failure.where}.")
    if others:
        lines.append(f"  {len(others)} other rule{'s fail' if len(others) > 1 else ' fails'} for the same reason.")
    if failure.steps:
        steps = failure.numbered_steps()
        lines += ["", "  The shortest steps that lead there:" if len(failure.steps) > 1 else "  The step:"]
        lines += [f"    ({failure.guest})"] * bool(failure.guest)
        lines += [f"    ({steps[0][0] - 1} earlier steps not shown)"] * (steps[0][0] > 1)
        lines += [f"    {number}. {words}" for number, words in steps]
    lines += _both(failure)
    if failure.printed:
        lines += ["", "  Your code printed:", *_beginning(failure.printed)]
    lines += ["", f"  {hint_command(exercise)}"]
    return printable("\n".join(lines))


def both_sides(failure: Failure) -> tuple[list[str], list[str]]:
    """The expected and the actual value as lines, as they are shown in a terminal; empty if there is nothing to compare."""
    if failure.picture is not None:
        expected, got = (_drawn(scene) for scene in failure.picture.differing())
        return expected, got
    difference = failure.difference
    return beside(difference) if difference is not None and not difference.hashed else ([], [])


def _both(failure: Failure) -> list[str]:
    """The expected and the actual value, in two columns if they fit."""
    expected, got = both_sides(failure)
    if failure.picture is not None:
        marks = " (* differs, + only here)"
    elif expected or got:
        marks = " (* differs)" if any(line.startswith("*") for line in expected + got) else ""
    else:
        return []
    left, right = [EXPECTED, *expected], [f"{GOT.removesuffix(':')}{marks}:", *got]
    width = max(map(len, left)) + 3
    if width + max(map(len, right)) > TWO_COLUMNS:
        return ["", *(f"    {line}" for line in [*left, "", *right])]
    return ["", *(f"    {a:<{width}}{b}".rstrip() for a, b in itertools.zip_longest(left, right, fillvalue=""))]


def beside(difference: Difference) -> tuple[list[str], list[str]]:
    """The expected and the actual value as lines; those that differ are marked with a star."""
    listings = difference.listings()
    if listings is None:
        return as_it_came(difference.expected).splitlines(), printable(as_it_came(difference.got)).splitlines()
    expected, got = listings
    return (_starred(expected, got), _starred(got, expected)) if difference.observation.starred else listings


def _starred(own: list[str], other: list[str]) -> list[str]:
    """Mark the lines that the other side lacks with a star. If there are many lines, return only the marked ones."""
    lines = [f"{' ' if line in other else '*'} {line}" for line in own]
    if len(lines) > MOST:
        lines = [line for line in lines if line[0] == "*"] or lines
    return lines[:MOST] or ["nothing"]


def _drawn(scene: Scene) -> list[str]:
    from ..draw.text import LEGEND, to_text  # only here, as in `failure`

    return [line for line in to_text(scene).strip("\n").splitlines() if line != LEGEND]


def as_it_came(value: Any) -> str:
    """Format a raw value, without explaining it."""
    if isinstance(value, dict):
        lines = [f"{key:<8} {_number(item)}" for key, item in itertools.islice(value.items(), MOST)]
    elif isinstance(value, list):
        lines = [_number(item) for item in value[:MOST]]
    else:
        return shortened(_number(value), LONGEST)
    return "\n".join(shortened(line, LONGEST) for line in lines) + "\n..." * (len(value) > MOST) or "nothing"


def _number(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_number, value)) if len(value) <= MOST else repr(value)[:LONGEST]
    return hex(value) if isinstance(value, int) and not isinstance(value, bool) and value > 9 else repr(value)


def capital(text: str) -> str:
    """Capitalize the first letter of a sentence, unless it begins with a call."""
    return text if is_call(text) else text[:1].upper() + text[1:]


def html_of(report: Report) -> str:
    """The report as HTML that works without scripts."""
    notes = "".join(f"<p>{escaped_html(note)}</p>" for note in report.submission.notes)
    rows = "".join(f"<div>{escaped_html(verdict.line)}</div>" for verdict in report.verdicts)
    wrong = report.first
    parts = [f"<p><b>{escaped_html(report.head)}</b></p>", notes, f'<div style="line-height:1.6">{rows}</div>']
    if report.status == NOT_ATTEMPTED:
        parts.append(f"<p>{NOTHING_WRITTEN}</p>")
    elif wrong is not None and wrong.failure is not None:
        parts.append(_failure_html(wrong, wrong.failure, report.exercise))
    if report.print_count:
        first, *rest = report.printed_lines()
        parts.append(f"<p>{escaped_html(first)}</p><pre>{escaped_html(textwrap.dedent(chr(10).join(rest)))}</pre>")
    parts += [f"<p><small>{escaped_html(sentence)}</small></p>" for sentence in report.said_of_tab]
    return "".join(parts)


def _failure_html(verdict: Verdict, failure: Failure, exercise: Exercise) -> str:
    lines = [f"<hr><p>{escaped_html(headline(verdict))}</p>", f"<p><b>{escaped_html(capital(failure.sentence))}.</b></p>"]
    lines += [f"<p>This happened {escaped_html(failure.where)}.</p>"] * bool(failure.where)
    lines += [f"<p>({failure.guest})</p>"] * bool(failure.guest)
    if failure.steps:
        steps = failure.numbered_steps()
        items = "".join(f"<li>{escaped_html(words)}</li>" for _, words in steps)
        lines.append(f'<ol start="{steps[0][0]}">{items}</ol>')
    lines.append(_both_html(failure))
    lines += [f"<p>Your code printed:</p><pre>{escaped_html(failure.printed)}</pre>"] * bool(failure.printed)
    lines.append(f"<p>{escaped_html(hint_command(exercise))}</p>")
    return "".join(lines)


def _both_html(failure: Failure) -> str:
    if failure.picture is not None:
        expected, got = (picture.html for picture in failure.picture.pictures())
    elif failure.difference is not None and not failure.difference.hashed:
        expected, got = (f"<pre>{escaped_html(chr(10).join(lines))}</pre>" for lines in beside(failure.difference))
    else:
        return ""
    return f"<p>{EXPECTED}</p>{expected}<p>{GOT}</p>{got}"
