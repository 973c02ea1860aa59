# SPDX-License-Identifier: GPL-2.0-only
"""Find why a rule does not hold, and explain the failure to the learner."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ..errors import HostCrash, LabError
from ..exercises import Boot, Golden, Rule, Scenario
from ..mmu.bits import CR4_PSE, MODES
from .compare import Transcript, first_difference
from .explain import is_call, named, spte
from .observe import Difference
from .oracle import Expected
from .sandbox.client import DAMAGED, Run
from .sandbox.limits import MEMORY
from .steps import read_step
from .submission import Submission
from .testbench import Bench

if TYPE_CHECKING:
    from .side_by_side import SideBySide

PASSED, FAILED, CRASHED, TIMED_OUT, NOT_ATTEMPTED = "passed", "failed", "crashed", "timed out", "not attempted"
"""The possible results of trying a rule."""

BEFORE = -1
"""The number of the step of a failure that comes before the first step, while the submission is loaded."""

MOST_STEPS = 12
"""The maximum number of steps shown. Of a longer sequence, only the last steps are shown."""


@dataclass(frozen=True)
class FailureKind:
    """A kind of failure: the ``status`` that it gives a rule, and a sentence that explains it.

    The sentence may contain these fields: {type} and {what}, the exception's type and message; {text}, a colon and {what}, or
    nothing; {where}, the place, such as " in add(), line 6 ...", or nothing; {at}, the same place as a clause of its own;
    {memory}, the limit on memory.
    """

    name: str
    status: str
    sentence: str = "your code raises {type}{where}{text}"
    shrinks: bool = False
    """Whether to look for a shorter scenario that fails in the same way."""


KINDS = {
    kind.name: kind
    for kind in (
        FailureKind("differs", FAILED, shrinks=True),
        FailureKind("silent", FAILED, "your code raises no exception; it should, as the README says{text}"),
        FailureKind("raised", CRASHED, shrinks=True),
        FailureKind("crash", CRASHED, "{what}{at}", shrinks=True),
        FailureKind("absent", CRASHED, "{what}{at}"),
        FailureKind("missing", CRASHED, "the file doesn't define {what}"),
        FailureKind("forbidden", CRASHED, "{what}, which is not allowed during a check{at}"),
        FailureKind("memory", CRASHED, "your code uses more memory than is allowed: {memory}{at}"),
        FailureKind("died", CRASHED, "{what}{at}"),
        FailureKind("damaged", CRASHED, "{what}"),
        FailureKind("timeout", TIMED_OUT, "your code took too long and was stopped{where}: {what}"),
        FailureKind("untried", TIMED_OUT, "{what}"),
        FailureKind("unwritten", NOT_ATTEMPTED, "nothing is written yet: your code raises NotImplementedError{where}"),
    )
}
"""The kinds of failure, by name. A worker sends the name of a kind with each exception; an unknown name counts as "raised"."""


@dataclass(frozen=True)
class Failure:
    """Why a rule does not hold. ``sentence`` is the summary; ``steps`` describes the shortest failing sequence of steps found.

    ``step`` is the number (from 0, or `BEFORE`) of the step that fails. ``aspect`` identifies the failure: the name of the
    observation that differs, or the type of the exception. ``printed`` is what the submission printed during these steps.
    """

    sentence: str
    kind: str = "differs"
    step: int = 0
    aspect: str = ""
    error: dict[str, Any] = field(default_factory=dict)
    difference: Difference | None = None
    steps: tuple[str, ...] = ()
    scenario: Scenario | None = None
    picture: SideBySide | None = None
    stretch: Golden | Boot | None = None
    printed: str = ""

    @property
    def status(self) -> str:
        """The status of the rule."""
        return KINDS.get(self.kind, KINDS["raised"]).status

    @property
    def guest(self) -> str:
        """The kind of guest, such as "a PAE guest"; empty if paging is off."""
        mode = MODES[self.scenario.mode] if self.scenario is not None else MODES["none"]
        return f"a {mode.guest}{' with CR4.PSE' * bool(mode.cr4 & CR4_PSE)}" if mode.levels else ""

    @property
    def where(self) -> str:
        """The golden trace or guest boot that failed, in words; empty if the scenario is one of the exercise's own."""
        if isinstance(self.stretch, Golden):
            return f"in operations of the real kernel ({self.stretch.trace}, {self.stretch.scenario})"
        return f"in the boot of a real guest ({self.stretch.trace})" if self.stretch is not None else ""

    def numbered_steps(self) -> list[tuple[int, str]]:
        """The last steps, each with its number from 1 on."""
        return list(enumerate(self.steps, 1))[-MOST_STEPS:]


def find_failure(rule: Rule, run: Run, expected: Transcript, crashes: bool) -> Failure | None:
    """Find the failure of a run (with an empty sentence), or None. ``crashes``: the kit's part crashes the host."""
    try:
        difference = first_difference(expected, run.seen, rule.looks)
    except ValueError:
        return Failure("", kind="damaged", error={"what": DAMAGED})
    if difference is not None:
        return Failure("", step=difference.step, aspect=difference.observation.name, difference=difference)
    if run.end == "done":
        return Failure("", kind="silent", step=len(expected)) if crashes else None
    if crashes and run.end == "raised" and len(run.seen) == len(expected) and run.error.get("kind") != "unwritten":
        return None  # the kit's own part also stops here
    kind = run.error.get("kind", run.end) if run.end == "raised" else run.end
    return Failure("", kind=str(kind), step=len(run.seen), aspect=str(run.error.get("type", "")), error=run.error)


Play = Callable[[Scenario, tuple[str, ...], int | None], Run]
"""Plays a scenario with the submission. If a step number is given, the whole machine is also sent after that step."""


class Explainer:
    """Explains the failures of one submission."""

    def __init__(self, submission: Submission, expected: Expected, play: Play) -> None:
        self.submission, self.expected, self.play = submission, expected, play

    def explain(self, rule: Rule, scenario: Scenario, found: Failure, stretch: Golden | Boot | None) -> Failure:
        """Return the failure with its sentence, its steps in words, and a picture."""
        bench = self.expected.bench(scenario)
        steps, refused = self._steps(bench, scenario, found.step)
        if found.difference is not None and stretch is not None:
            found = self._in_detail(rule, scenario, found)
        if found.difference is not None:
            last = scenario.steps[found.step]
            call = str(last[1]) if not isinstance(last, dict) and last[0] == "call" else ""
            found = replace(found, difference=replace(found.difference, call=call, hfn_of=bench.vm.memory.frames.__getitem__))
            assert found.difference is not None
            picture = self._picture(rule, scenario, found) if not isinstance(stretch, Boot) else None
            audits = not isinstance(last, dict) and last[0] == "audit" and found.difference.observation.name != "result"
            sentence = found.difference.sentence + "; an audit must not change anything" * audits
            found = replace(found, sentence=sentence, picture=picture)
        else:
            if found.kind == "silent" and refused is not None:
                found = replace(found, error={"what": getattr(refused, "what", refused)})
            found = replace(found, sentence=self.how_it_ended(found))
        return replace(found, sentence=_when(steps) + found.sentence, steps=steps, scenario=scenario, stretch=stretch)

    def _steps(self, bench: Bench, scenario: Scenario, last: int) -> tuple[tuple[str, ...], LabError | None]:
        """The steps in words, up to ``last``, each described before ``bench`` does it; and why the last one is refused."""
        words, refused = [], None
        for step in scenario.steps[: last + 1]:
            self.expected.deadline.check()
            refused = None
            try:
                words.append(read_step(step).say(bench.vm))
                bench.do(step)
            except LabError as error:
                refused = error
        return tuple(words), refused

    def in_brief(self, found: Failure, stretch: Golden | Boot | None = None) -> Failure:
        """Return the failure with its sentence alone, and the ``stretch`` in which it was found."""
        sentence = self.how_it_ended(found) if found.difference is None else found.difference.sentence
        return replace(found, sentence=sentence, stretch=stretch if found.step != BEFORE else None)

    def _in_detail(self, rule: Rule, scenario: Scenario, found: Failure) -> Failure:
        """Run the scenario again with full observations, because only digests were compared; return the failure found."""
        short = scenario.with_steps(scenario.steps[: found.step + 1])
        run = self.play(short, rule.looks, None)
        again = find_failure(rule, run, *self.expected(short, rule.looks, hashed=False))
        return again if again is not None and again.difference is not None else found

    def _picture(self, rule: Rule, scenario: Scenario, found: Failure) -> SideBySide | None:
        """Draw the expected and the submission's machine after the step that fails."""
        from .side_by_side import side_by_side  # only here: a right solution needs no picture, and it takes time to load

        assert found.difference is not None
        short = scenario.with_steps(scenario.steps[: found.step + 1])
        run = self.play(short, rule.looks, found.step)
        bench = self.expected.bench(short)
        try:
            data = run.seen[found.step].get("machine")
            for step in short.steps:
                self.expected.deadline.check()
                bench.do(step)
        except (IndexError, ValueError, HostCrash):  # the submission behaves differently this time
            return None
        return side_by_side(bench.vm, data, found.difference)

    def how_it_ended(self, found: Failure) -> str:
        """Explain in one sentence why a run did not finish, and name the line of the submission that was running."""
        error = found.error
        if self.submission.endless(error.get("file"), error.get("line")):  # more time would not help
            error = error | {"what": str(error.get("what")).replace(str(error.get("offer")), "this loop never ends")}
        return ending(replace(found, error=error), self._where(error))

    def _where(self, error: dict[str, Any]) -> str:
        """The line of the submission that was running: " in add(), line 6 (while True: pass)"; empty if there is none."""
        function = error.get("function", "")
        place, code = self.submission.place(error.get("file"), error.get("line"))
        places = [f"{function}()"] * (function not in ("", "<module>")) + [place] * bool(place)
        return (f" in {', '.join(places)}" if places else "") + (f" ({code})" if code else "")


def ending(found: Failure, where: str = "") -> str:
    """How a run ended that did not finish, in one sentence. ``where``: the line of the submission that was running, or ""."""
    error = found.error
    what = re.sub(r"spte (0x[0-9a-f]+)", lambda match: f"spte {spte(int(match[1], 16))}", str(error.get("what")))
    what = named(what) + (_misuse(what) if "the host would have crashed" in what else "")
    kind = KINDS.get(found.kind, KINDS["raised"])
    if "zap_page(" in where and what == "list.remove(x): x not in list":
        what = "the page is not in use. Perhaps it was zapped before, or was never taken from the bucket"
    text = f": {what}" if what else ""
    at = f"; your code was{where}" if where else ""
    if kind.name == "timeout" and not where:
        where = " outside its own lines"
    return kind.sentence.format(type=error.get("type"), what=what, text=text, where=where, at=at, memory=MEMORY.words)


def _misuse(what: str) -> str:
    """The likely reason for a crash of the host, as the end of a sentence; empty if there is none."""
    if "rmap_remove" in what and "shadow page #" in what:
        return ". The entry leads to a shadow page, and only entries that lead to a frame of the guest are in a reverse map"
    if "rmap_remove" in what:
        return ". Either it was removed before, or it was zeroed before it was removed"
    if "mmu_page_remove_parent_pte" in what:
        return ". Either it was removed before, or it leads to another page"
    return ""


def _when(steps: tuple[str, ...]) -> str:
    """The beginning of the failure's sentence: it describes the last step."""
    if not steps:
        return ""
    last = steps[-1].partition(" [")[0]
    if is_call(last):
        return f"after step {len(steps)}, {last}: " if len(steps) > 1 else f"{last}: "
    return f"after step {len(steps)}, in which {last}, " if len(steps) > 1 else f"when {last}, "
