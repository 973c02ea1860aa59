# SPDX-License-Identifier: GPL-2.0-only
"""What a judge found: verdicts with their points and, of each failure, what a learner reads."""

from __future__ import annotations

import html
import itertools
import textwrap
from dataclasses import dataclass, field
from typing import Any

from ..draw.scene import Scene
from ..draw.text import LEGEND, to_text
from ..exercises import Boot, Exercise, Golden, Rule, Scenario
from ..mmu.bits import CR4_PSE, MODES
from .compare import Difference
from .explain import listed
from .sandbox.limits import not_enforced
from .side_by_side import Beside
from .submission import Submission

PASSED, FAILED, CRASHED, TIMED_OUT, NOT_ATTEMPTED = "passed", "failed", "crashed", "timed out", "not attempted"
SIGNS = {PASSED: "✓", FAILED: "✗", CRASHED: "!", TIMED_OUT: "…", NOT_ATTEMPTED: "·"}
WIDEST = 112
"""Characters of a line, where two columns stand beside each other."""

MOST = 12
"""So many steps are shown; of more, the last ones."""


def _guest(scenario: Scenario | None) -> str:
    """The guest of a scenario: "a PAE guest"; empty where none is paging."""
    mode = MODES[scenario.mode] if scenario is not None else MODES["none"]
    return f"a {mode.guest}{' with CR4.PSE' * bool(mode.cr4 & CR4_PSE)}" if mode.levels else ""


@dataclass(frozen=True)
class Failure:
    """Why a rule doesn't hold. ``sentence`` is read first, ``steps`` are the shortest way there that was found, in words;
    ``printed`` is what the submission printed on that way."""

    sentence: str
    kind: str = "differs"
    step: int = 0
    look: str = ""
    error: dict[str, Any] = field(default_factory=dict)
    difference: Difference | None = None
    steps: tuple[str, ...] = ()
    scenario: Scenario | None = None
    picture: Beside | None = None
    stretch: Golden | Boot | None = None
    printed: str = ""

    def lines(self) -> list[str]:
        """The steps, numbered."""
        guest = _guest(self.scenario)
        first = max(0, len(self.steps) - MOST)
        shown = [f"{number + 1}. {said}" for number, said in enumerate(self.steps) if number >= first]
        return [f"({guest})"] * bool(guest) + [f"({first} steps before)"] * bool(first) + shown

    @property
    def where(self) -> str:
        """The stretch of the whole engine in which it happened, in words; empty for a scenario of the exercise's own."""
        if isinstance(self.stretch, Golden):
            return f"in operations of the real kernel ({self.stretch.trace}, {self.stretch.scenario})"
        return f"in the boot of a real guest ({self.stretch.trace})" if self.stretch is not None else ""


@dataclass(frozen=True)
class Verdict:
    """What came of one rule."""

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
        """One line."""
        extra = " extra" if self.rule.extra else ""
        return f"{SIGNS[self.status]} {self.points}/{self.rule.points}{extra}  {self.rule.says}"


@dataclass(frozen=True)
class Report:
    """All verdicts on a submission. ``printed`` is what it printed, shortened; ``print_count`` how many bytes that were."""

    exercise: Exercise
    submission: Submission
    verdicts: tuple[Verdict, ...]
    printed: str = ""
    print_count: int = 0
    seconds: float = 0.0

    @property
    def points(self) -> int:
        """Points earned, without extra ones."""
        return sum(verdict.points for verdict in self.verdicts if not verdict.rule.extra)

    @property
    def extra(self) -> int:
        """Extra points."""
        return sum(verdict.points for verdict in self.verdicts if verdict.rule.extra)

    @property
    def passed(self) -> bool:
        """Whether it has full points."""
        return self.points == self.exercise.points

    @property
    def status(self) -> str:
        """One word for all: the worst that happened, but "not attempted" only where nothing was."""
        found = {verdict.status for verdict in self.verdicts if not verdict.rule.extra}
        if len(found) == 1:
            return found.pop()
        return next((status for status in (TIMED_OUT, CRASHED) if status in found), FAILED)

    @property
    def head(self) -> str:
        """The first line."""
        full, extra = self.exercise.points, sum(rule.points for rule in self.exercise.rules if rule.extra)
        more = f", and {self.extra} of {extra} extra" if extra else ""
        return f"{self.exercise.number} {self.exercise.title}: {self.points} of {full} points{more} ({self.status})"

    @property
    def first(self) -> Verdict | None:
        """The first verdict that isn't passed: what to mend first."""
        return next((verdict for verdict in self.verdicts if verdict.status != PASSED and not verdict.rule.extra), None)

    def __str__(self) -> str:
        """The whole report as text: all verdicts in a line each, then what to mend first."""
        lines = [self.head, "", *(verdict.line for verdict in self.verdicts)]
        wrong = self.first or next((verdict for verdict in self.verdicts if verdict.failure is not None), None)
        if self.status == NOT_ATTEMPTED:
            lines += ["", "Nothing is written yet."]
        elif wrong is not None:
            lines += ["", *told(wrong, self.exercise).splitlines()]
        if self.print_count:
            lines += ["", *self.told_printed()]
        return "\n".join(lines)

    def told_printed(self) -> list[str]:
        """What the submission printed, or its beginning, in lines."""
        if not self.print_count:
            return []
        if any(verdict.failure is not None and verdict.failure.printed for verdict in self.verdicts):
            return [f"Your code printed {self.print_count:,} bytes in all."]
        shown = "" if self.print_count <= len(self.printed.encode()) else ", which begin"
        return [f"Your code printed {self.print_count:,} bytes{shown}:", *_begin(self.printed)]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        pass

        return {"text/plain": str(self), "text/html": html_of(self)}

    @property
    def notes(self) -> list[str]:
        """What couldn't be limited while it ran."""
        missing = not_enforced()
        return [f"not enforced on this machine: {', '.join(missing)}"] if missing else []

    def as_data(self) -> dict[str, Any]:
        """For programs."""
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
            "notes": self.notes,
        }


def _begin(printed: str) -> list[str]:
    """The first lines of what was printed."""
    lines = textwrap.indent(printed, "    ").splitlines()
    return lines[:MOST] + ["    ..."] * (len(lines) > MOST)


def hint_command(exercise: Exercise) -> str:
    """How to get a hint."""
    return f"A hint: kvmmmu-lab hint {exercise.name}"


def told(verdict: Verdict, exercise: Exercise) -> str:
    """A verdict that isn't passed, as a learner reads it in a terminal: rule, sentence, steps, expected and got, hint."""
    failure = verdict.failure
    lines = [f"{SIGNS[verdict.status]} {verdict.status.capitalize()}: {verdict.rule.says}"]
    if failure is None:
        return "\n".join(lines)
    lines += textwrap.wrap(f"{capital(failure.sentence)}.", 110, initial_indent="  ", subsequent_indent="  ")
    if failure.where:
        lines.append(f"  This happened {failure.where}.")
    if failure.steps:
        lines += ["", "  The shortest way there:" if len(failure.steps) > 1 else "  The step:"]
        lines += [f"    {line}" for line in failure.lines()]
    lines += _both(failure)
    if failure.printed:
        lines += ["", "  Your code printed on this way:", *_begin(failure.printed)]
    lines += ["", f"  {hint_command(exercise)}"]
    return "\n".join(lines)


def _both(failure: Failure) -> list[str]:
    """Expected beside got, in two columns where they fit."""
    if failure.picture is not None:
        expected, got = (_drawn(scene) for scene in failure.picture.differing())
    elif failure.difference is not None:
        expected, got = beside(failure.difference)
    else:
        return []
    left, right = ["What it should be:", *expected], ["What it is with your code (* differs, + only here):", *got]
    width = max(map(len, left)) + 3
    if width + max(map(len, right)) > WIDEST:
        return ["", *(f"    {line}" for line in [*left, "", *right])]
    return ["", *(f"    {a:<{width}}{b}".rstrip() for a, b in itertools.zip_longest(left, right, fillvalue=""))]


def beside(difference: Difference) -> tuple[list[str], list[str]]:
    """Expected and got as lines; in words where there are some, and with a star where they differ."""
    expected, got = (listed(difference.look, value) for value in (difference.expected, difference.got))
    if expected is None or got is None:
        return listed_plainly(difference.expected).splitlines(), listed_plainly(difference.got).splitlines()
    if difference.look == "order":
        return expected or ["nothing"], got or ["nothing"]
    return _starred(expected, got), _starred(got, expected)


def _starred(own: list[str], other: list[str]) -> list[str]:
    """Lines with a star where the other side hasn't got them; of many, only these."""
    lines = [f"{' ' if line in other else '*'} {line}" for line in own]
    if len(lines) > MOST:
        lines = [line for line in lines if line[0] == "*"] or lines
    return lines[:MOST] or ["nothing"]


def _drawn(scene: Scene) -> list[str]:
    return [line for line in to_text(scene).strip("\n").splitlines() if line != LEGEND]


def listed_plainly(value: Any) -> str:
    """What a look shows, as it came."""
    if isinstance(value, dict):
        return "\n".join(f"{key:<8} {_number(item)}" for key, item in value.items()) or "nothing"
    if isinstance(value, list):
        return "\n".join(_number(item) for item in value[:MOST]) + "\n..." * (len(value) > MOST) or "nothing"
    return _number(value)


def _number(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_number, value)) if len(value) <= MOST else repr(value)[:200]
    return hex(value) if isinstance(value, int) and not isinstance(value, bool) and value > 9 else repr(value)


def capital(text: str) -> str:
    """A sentence with its first letter large, if that is a word's."""
    return text if "(" in text.partition(" ")[0] else text[:1].upper() + text[1:]  # a call stays as it is written


# FOLDED IN: check.report_html: A report in a notebook: HTML that needs no script.


def html_of(report: Report) -> str:
    """The report as HTML that needs no script."""
    rows = "".join(f"<div>{html.escape(verdict.line)}</div>" for verdict in report.verdicts)
    wrong = report.first
    parts = [f"<p><b>{html.escape(report.head)}</b></p>", f'<div style="line-height:1.6">{rows}</div>']
    if report.status == NOT_ATTEMPTED:
        parts.append("<p>Nothing is written yet.</p>")
    elif wrong is not None and wrong.failure is not None:
        parts.append(_failure_html(wrong, wrong.failure, report.exercise))
    if report.print_count:
        first, *rest = report.told_printed()
        parts.append(f"<p>{html.escape(first)}</p><pre>{html.escape(textwrap.dedent(chr(10).join(rest)))}</pre>")
    return "".join(parts)


def _failure_html(verdict: Verdict, failure: Failure, exercise: Exercise) -> str:
    guest = _guest(failure.scenario)
    steps = "".join(f"<li>{html.escape(said)}</li>" for said in failure.steps[-MOST:])
    where = f"<p>This happened {html.escape(failure.where)}.</p>" if failure.where else ""
    start = max(0, len(failure.steps) - MOST) + 1
    said = f"<p><b>{html.escape(capital(failure.sentence))}.</b></p>{where}"
    printed = f"<p>Your code printed on this way:</p><pre>{html.escape(failure.printed)}</pre>" * bool(failure.printed)
    listed = f"<p>({guest})</p>" * bool(guest) + (f'<ol start="{start}">{steps}</ol>' if steps else "")
    return (
        f"<hr><p>{html.escape(f'{SIGNS[verdict.status]} {verdict.status.capitalize()}: {verdict.rule.says}')}</p>"
        f"{said}{listed}{_pictures(failure)}{printed}<p>{html.escape(hint_command(exercise))}</p>"
    )


def _pictures(failure: Failure) -> str:
    if failure.picture is not None:
        expected, got = (picture.html for picture in failure.picture.pictures())
    elif failure.difference is not None:
        expected, got = (f"<pre>{html.escape(chr(10).join(lines))}</pre>" for lines in beside(failure.difference))
    else:
        return ""
    return f"<p>What it should be:</p>{expected}<p>What it is with your code:</p>{got}"

