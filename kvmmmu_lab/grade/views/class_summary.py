# SPDX-License-Identifier: GPL-2.0-only
"""What the class page tells, gathered from the marks one by one: its size depends on what is shown, not on the class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ...check.failure import NOT_ATTEMPTED, PASSED, TIMED_OUT
from ..mark import Mark, RuleMark
from .refusals import refusal

FEW, MOST = 5, 100
"""How many learners are named as examples, and how many where each matters."""

BEHAVIOURS = 20_000
"""The maximum number of wrong behaviours that are told apart. If there are more, those that occurred once are forgotten."""

REASONS, OTHER_REASONS = 500, "for other reasons, which their pages tell"
"""The maximum number of reasons why something was not judged that are told apart, and what stands for all others."""


UNTRIED = "untried"
"""The kind of the failure of a rule that was not tried, because others took too long (see `check.failure.KINDS`)."""

RESULTS = "differs", "silent"
"""The kinds of failures that are results: two rules with the same one may fail for different reasons."""


def first_to_fix(mark: Mark) -> RuleMark | None:
    """The first rule that is not met and says why, which the learner should fix first."""
    return next((rule for rule in mark.rules if rule.message and not rule.extra), None)


def same_reason(rule: RuleMark, first: RuleMark) -> bool:
    """Whether a rule fails for the same reason as ``first``, such as the same exception, or was not tried because of it."""
    if rule.kind == UNTRIED:
        return first.status == TIMED_OUT
    return rule.kind not in RESULTS and (rule.kind, rule.behaviour) == (first.kind, first.behaviour)


def fails_alike(mark: Mark) -> bool:
    """Whether all rules fail for one reason, so that it is no matter of a rule: the file can't be loaded, for example."""
    first, rules = first_to_fix(mark), [rule for rule in mark.rules if not rule.extra]
    return first is not None and len(rules) > 1 and all(rule is first or same_reason(rule, first) for rule in rules)


def same_sentence(rule: RuleMark, first: RuleMark) -> bool:
    """Whether two rules fail in the same way, as far as it is known: one of them may not have been explained with its steps."""
    mine, other = (each.behaviour.partition(" [")[0] for each in (rule, first))
    return bool(mine) and (rule.kind, mine) == (first.kind, other)


@dataclass
class LearnerGroup:
    """Learners who have something in common: how many, and the first ``most``, with the exercise."""

    most: int = FEW
    count: int = 0
    examples: list[tuple[str, str]] = field(default_factory=list)
    last: str | None = None

    def add(self, mark: Mark) -> None:
        """Add a learner. The marks of one come one after the other, and count once."""
        if mark.learner == self.last:
            return
        self.last = mark.learner
        self.count += 1
        if len(self.examples) < self.most:
            self.examples.append((mark.learner, mark.exercise))


@dataclass
class Behaviour(LearnerGroup):
    """Learners whose code does the same wrong thing; ``example`` is the failure with the fewest calls, and ``whose`` it is."""

    example: RuleMark | None = None
    whose: str = ""

    def saw(self, mark: Mark, rule: RuleMark) -> None:
        """Add a learner, with what went wrong."""
        self.add(mark)
        if self.example is None or _size(rule) < _size(self.example):
            self.example, self.whose = rule, mark.learner


def _size(rule: RuleMark) -> tuple[bool, int, int, int]:
    """How much there is to do and to read to understand a failure. One that was not explained has no steps, and comes last."""
    return not rule.steps, rule.calls, len(rule.steps), sum(map(len, rule.steps)) + len(rule.message)


@dataclass
class RuleSummary:
    """A rule of an exercise: on how many hand-ins it was tried, and how many met it; the learners who have to fix it ``first``.

    ``also`` counts the hand-ins that do not meet it either, but have another rule to fix first. Those on which all rules fail
    for one reason are in `ExerciseSummary.alike`.
    """

    says: str
    extra: bool
    of: int = 0
    tried: int = 0
    met: int = 0
    attempted: int = 0
    also: int = 0
    first: LearnerGroup = field(default_factory=LearnerGroup)


@dataclass
class ExerciseSummary:
    """An exercise: how many have how many points, the statuses, the rules, and the wrong behaviours by rule.

    ``alike``: the learners with one reason for which all rules fail, such as a file that can't be loaded.
    """

    of: int = 0
    alike: LearnerGroup = field(default_factory=LearnerGroup)
    points: Counter[int] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    rules: dict[str, RuleSummary] = field(default_factory=dict)
    behaviours: dict[tuple[str, str], Behaviour] = field(default_factory=dict)

    @property
    def judged(self) -> int:
        """The number of hand-ins on which the rules were tried."""
        return self.points.total()


class ClassSummary:
    """All that the class page tells about the marks."""

    def __init__(self) -> None:
        self.exercises: dict[str, ExerciseSummary] = {}
        self.learners = self.marks = 0
        self.late: dict[str, LearnerGroup] = {}
        self.refused: dict[str, LearnerGroup] = {}
        self.unjudged: dict[tuple[str, str], LearnerGroup] = {}
        self.isolation: Counter[str] = Counter()
        self.seeds: Counter[int] = Counter()
        self.versions: Counter[str] = Counter()
        self.seconds = 0.0
        self._firsts: dict[str, str] = {}  # the first learner with these files: the only thing that is kept of all hand-ins
        self._twins: dict[str, tuple[str, LearnerGroup]] = {}
        self._last: str | None = None

    def watch(self, marks: Iterable[Mark]) -> Iterator[Mark]:
        """Pass marks on and gather from them. The marks of a learner must come one after the other."""
        for mark in marks:
            self._add(mark)
            yield mark

    def identical(self) -> list[tuple[str, LearnerGroup]]:
        """The exercise and the learners of each set of files that several learners handed in, the most frequent first."""
        return sorted(self._twins.values(), key=lambda each: -each[1].count)

    def _add(self, mark: Mark) -> None:
        self.marks += 1
        self.learners += mark.learner != self._last
        self._last = mark.learner
        self.seconds += mark.seconds
        exercise = self.exercises.setdefault(mark.exercise, ExerciseSummary())
        exercise.of = max(exercise.of, mark.of)
        exercise.statuses[mark.status] += 1
        if not mark.rules:
            reason = mark.status, mark.problem
            if len(self.unjudged) >= REASONS and reason not in self.unjudged:
                reason = mark.status, OTHER_REASONS
            self.unjudged.setdefault(reason, LearnerGroup(MOST)).add(mark)
            return
        exercise.points[mark.points] += 1
        self.isolation[mark.isolation] += 1
        self.seeds[mark.seed] += 1
        self.versions[mark.versions] += 1
        if mark.status != NOT_ATTEMPTED:  # the file as it was given out is the same for all
            self._add_digest(mark, f"{mark.exercise} {mark.digest[:24]}")
        first = first_to_fix(mark)
        alike = first is not None and mark.status != NOT_ATTEMPTED and fails_alike(mark)
        if alike:
            exercise.alike.add(mark)
        for rule in mark.rules:
            self._add_rule(mark, exercise, rule, first, alike)
        if first is not None and first.behaviour and first.status not in (TIMED_OUT, NOT_ATTEMPTED):
            self._add_behaviour(mark, exercise, first)

    def _add_digest(self, mark: Mark, files: str) -> None:
        first = self._firsts.setdefault(files, mark.learner)
        if first != mark.learner:
            if files not in self._twins:
                self._twins[files] = mark.exercise, LearnerGroup(MOST, 1, [(first, mark.exercise)], first)
            self._twins[files][1].add(mark)

    def _add_behaviour(self, mark: Mark, exercise: ExerciseSummary, rule: RuleMark) -> None:
        """Count what the learner has to fix first: the other rules of a hand-in often fail for the same reason."""
        exercise.behaviours.setdefault((rule.rule, rule.behaviour), Behaviour()).saw(mark, rule)
        if len(exercise.behaviours) > BEHAVIOURS:
            exercise.behaviours = {key: one for key, one in exercise.behaviours.items() if one.count > 1}

    def _add_rule(self, mark: Mark, exercise: ExerciseSummary, rule: RuleMark, first: RuleMark | None, alike: bool) -> None:
        found = exercise.rules.setdefault(rule.rule, RuleSummary(rule.says, rule.extra, rule.of))
        found.tried += 1
        found.met += rule.status == PASSED
        found.attempted += rule.status != NOT_ATTEMPTED and rule.kind != UNTRIED
        if rule is first and not alike:
            found.first.add(mark)
        elif rule.status not in (PASSED, NOT_ATTEMPTED) and not alike:
            found.also += 1
        if rule.status == TIMED_OUT:
            self.late.setdefault(mark.exercise, LearnerGroup(MOST)).add(mark)
        if tried := refusal(rule):
            self.refused.setdefault(tried, LearnerGroup(MOST)).add(mark)
