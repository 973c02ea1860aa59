# SPDX-License-Identifier: GPL-2.0-only
"""The judge: tries every rule on a submission, which runs in another process.

The judge's process runs the same steps with the kit's own part and compares the observations of both. It never imports the
submission.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from operator import itemgetter
from typing import Any

from ..errors import LabError, OutOfTime
from ..exercises import Boot, Exercise, Golden, Rule, Scenario, StepData
from ..host_platform import HERE
from ..printable import printable
from .answers import KnownAnswers
from .deadline import Deadline
from .failure import BEFORE, KINDS, MOST_STEPS, NOT_ATTEMPTED, PASSED, TIMED_OUT, Explainer, Failure, find_failure
from .oracle import Expected, Observed
from .report import Report, Verdict
from .sandbox.client import Run, Worker
from .sandbox.forkserver import CAN_FORK, ForkServer
from .sandbox.inline import Inline
from .sandbox.limits import TIME
from .sandbox.tab import NO_WALL, NoHost, Tab, TabWorker, find_host
from .sandbox.wall import ELSEWHERE
from .scenarios import as_scenario
from .shrink import shrink
from .steps import calls, read_step
from .strategies import MissingPackage
from .submission import Submission

STEPS = 20
"""The time limit `limits.TIME` is for scenarios with up to this number of steps. A longer one has proportionally more time."""

THOUSAND_CALLS = 0.25
"""What each thousand calls of the part add to the time limit of a scenario, where a step makes many."""

ENGINE, FULL = 5.0, 20.0
"""The time limits for a trace or boot that tests the whole engine, as multiples of `limits.TIME`; the latter if ``full``."""

LONGER = 3.0
"""How many times longer code that was stopped may run once more, to find out whether it is slow or endless."""

SHRINKING, TRIES = 1.5, 60
"""The maximum time, in seconds, for finding a shorter scenario; and, if ``thrifty``, the maximum number of scenarios tried."""

FEW_STEPS = 5
"""The maximum number of steps into which a step of several calls is taken apart."""

AGAIN = 2
"""How often a scenario is played again because its worker was killed: perhaps not by the submission, which does so again."""

LOST = 10
"""How often in a check the fork server may be killed without any effect on the verdicts."""

LONG_GRACE = 2.0
"""The grace of a worker (see `Worker`), in seconds, if ``thrifty``: many graders at once make a computer slow."""

PATIENCE = 2
"""The number of rules that may time out before the remaining rules are skipped."""

DEBUG = "KVMMMU_LAB_DEBUG"
"""If this environment variable is set, the tracebacks of exceptions in the judge are printed."""

UNJUDGED = f"the checker can't judge what your code did ({{}}). If it is nothing unusual, report it; {DEBUG}=1 shows more"
"""The sentence for an exception in the judge."""

NOT_AGAIN = ". It was loaded before without that: what your code does outside its functions must go right each time"
"""What is added if a submission that was loaded before can't be loaded again."""

LEFT_OVER = ". The same steps work in a new process: your code keeps state from earlier {}. {}"
MIXED_UP = ". With one machine alone, the same steps go right: your code mixes up two machines. {1}"
CLASS = "machines", "Store state in `self` or in `vm`, not in the class, a global variable or a default argument"
FUNCTION = "calls", "A function must not store anything in a global variable, an attribute or a default argument"
"""What follows `LEFT_OVER` and `MIXED_UP` if the exercise asks for a class, and if it asks for functions."""


Played = Scenario | Golden | Boot
Numbered = tuple[int, Played]


class Trial:
    """The trial of a rule: what is ``left`` to be played, numbered, and the ``failures`` by number.

    The judge that tries the rule takes what is left from the first on. Another may help, and takes it from the last on.
    """

    def __init__(self, rule: Rule, played: Iterable[Played]) -> None:
        self.rule, self.left = rule, deque(enumerate(played))
        self.failures: dict[int, Failure] = {}
        self.helpers, self.over, self.changed = 0, False, threading.Condition()

    @property
    def failure(self) -> Failure | None:
        """The first failure."""
        return self.failures[min(self.failures)] if self.failures else None

    def take(self, last: bool = False) -> Numbered | None:
        """Remove the first (or the ``last``) of what is left; None if nothing is."""
        with self.changed:
            return (self.left.pop() if last else self.left.popleft()) if self.left else None

    def put_back(self, *taken: Numbered | None) -> None:
        """Put back what was taken, but not tried."""
        with self.changed:
            self._keep([*self.left, *filter(None, taken)])

    def fails(self, number: int, failure: Failure) -> None:
        """Note a failure. What comes after it need not be tried."""
        with self.changed:
            self.failures[number] = failure
            self._keep(self.left)

    def _keep(self, left: Iterable[Numbered]) -> None:
        first = min(self.failures, default=math.inf)
        self.left = deque(sorted((each for each in left if each[0] < first), key=itemgetter(0)))

    def join(self) -> bool:
        """Begin to help; return False if the trial is over."""
        with self.changed:
            self.helpers += not self.over
            return not self.over

    def leave(self) -> None:
        """End the help."""
        with self.changed:
            self.helpers -= 1
            self.changed.notify()

    def end(self) -> None:
        """Try nothing more."""
        with self.changed:
            self.over = True
            self.left.clear()

    def finished(self) -> bool:
        """Wait for those who help, then return whether nothing is left."""
        with self.changed:
            self.changed.wait_for(lambda: not self.helpers)
            self.over = not self.left
            return self.over


class Judge:
    """A judge of one submission.

    ``server``: the fork server for workers (default: a new one). ``seed`` chooses the random scenarios, ``full`` adds whole
    traces, ``inline`` runs the submission in this process. ``tell`` is called with each verdict as soon as it is known.
    ``known``: answers that are known from earlier checks with this seed. ``deadline``: the check's, if it has begun already.
    ``thrifty``: one worker tries all rules, and only the failure to fix first is shortened, explained and drawn. It takes less
    processor time, and what the report says depends on the computer's speed only where something timed out. ``secret`` are
    files and folders that the submission must not read, besides the kit's own.
    """

    def __init__(
        self,
        exercise: Exercise,
        submission: Submission,
        server: ForkServer | None = None,
        *,
        seed: int = 0,
        full: bool = False,
        inline: bool = False,
        tell: Callable[[Verdict], object] | None = None,
        known: KnownAnswers | None = None,
        deadline: Deadline | None = None,
        thrifty: bool = False,
        secret: Sequence[str] = (),
    ) -> None:
        self.exercise, self.submission, self.inline = exercise, submission, inline
        self.thrifty, self.secret = thrifty, secret
        self.seed, self.full, self.tell = seed, full, tell or (lambda verdict: None)
        self.deadline = deadline or Deadline(full=full, inline=inline)
        self.expected, self.known = Expected(exercise.part, self.deadline), known or KnownAnswers(exercise, seed)
        self.explainer = Explainer(submission, self.expected, self._play)
        self.worker: Worker | Inline | None = None
        self.tab: Tab | None = None
        self.no_worker = ""  # why this browser tab has no worker for a submission
        self.begin, self.printed, self.print_count = time.monotonic(), "", 0
        self.late: list[Rule] = []  # rules that timed out
        self.loaded = False  # whether the submission has been loaded
        self.stuck = False  # whether it did not end to load
        self.killed = {True: 0, False: 0}  # how often in a row a worker was killed: before a scenario (True), or in one
        self.lost = 0  # how often the fork server was
        self.told_first = False  # whether the failure to fix first has been explained
        self.hurried = False  # whether it took too long to play a scenario once more: pictures are not worth the time
        self.trial: Trial | None = None
        self.owned = None if server is not None or inline or not CAN_FORK else ForkServer()
        self.server = server or self.owned

    def report(self) -> Report:
        """Try all rules, with two workers unless ``thrifty``."""
        return self._by_one() if self.thrifty else self._by_two()

    def _by_one(self) -> Report:
        verdicts = []
        with self, self.deadline.until_exception():
            for rule in self.exercise.rules:
                verdicts.append(self.rule(rule))
                self.tell(verdicts[-1])
        self.known.save()
        return self.report_on(verdicts)

    def _by_two(self) -> Report:
        """Two workers share the rules; the one that finds none left helps the other with its last one."""
        rules = self.exercise.rules
        options: dict[str, Any] = {"seed": self.seed, "full": self.full, "inline": self.inline, "known": self.known}
        options["deadline"] = self.deadline
        beside = Judge(self.exercise, self.submission, self.server, **options)
        beside.late = self.late
        left, done, verdicts = deque(rules), dict[str, Verdict](), list[Verdict]()

        def tell_those_done() -> None:
            while len(verdicts) < len(rules) and (verdict := done.get(rules[len(verdicts)].name)) is not None:
                verdicts.append(verdict)
                self.tell(verdict)

        def work(judge: Judge, other: Judge) -> None:
            with contextlib.suppress(IndexError):
                while True:
                    rule = left.popleft()
                    done[rule.name] = judge.rule(rule)
                    if judge is self:
                        tell_those_done()
            if other.trial is not None:
                judge.help(other.trial)

        with self, beside, ThreadPoolExecutor(1) as thread, self.deadline.until_exception():
            helper = thread.submit(work, beside, self) if self.server is not None else None
            work(self, beside)
            if helper is not None:
                helper.result()
            tell_those_done()
        self.printed, self.print_count = self.printed or beside.printed, self.print_count + beside.print_count
        self.known.save()
        return self.report_on(verdicts)

    def report_on(self, verdicts: Iterable[Verdict]) -> Report:
        """A report of these verdicts."""
        seconds = time.monotonic() - self.begin
        elsewhere = NO_WALL if HERE.in_browser else ELSEWHERE
        no_wall = self.server.no_wall_by(self.deadline) if self.server is not None else "" if self.inline else elsewhere
        printed = self.printed, self.print_count
        return Report(
            self.exercise, self.submission, tuple(verdicts), *printed, seconds, no_wall, HERE.in_browser, self.no_worker
        )

    def __enter__(self) -> Judge:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def rule(self, rule: Rule) -> Verdict:
        """Try one rule. Whatever a submission does, there is a verdict on it."""
        begin = time.monotonic()
        try:
            status, failure = self._tried(rule)
        except OutOfTime as error:
            status, failure = TIMED_OUT, Failure(str(error), kind="timeout")
        except Exception as error:
            if self.inline or isinstance(error, MissingPackage) or (isinstance(error, LabError) and not self.loaded):
                raise  # it isn't the submission's fault: no process can be started, for example
            show_traceback()
            failure = Failure(UNJUDGED.format(f"{type(error).__name__}: {error}"[:200]), kind="damaged")
            status = failure.status
        return Verdict(rule, status, failure, time.monotonic() - begin)

    def _tried(self, rule: Rule) -> tuple[str, Failure | None]:
        """The result of trying a rule, and why it does not hold."""
        self.deadline.check()
        if self.stuck:
            return TIMED_OUT, Failure("not tried, because your file did not finish loading", kind="untried")
        if len(self.late) >= PATIENCE:
            return TIMED_OUT, Failure(f"not tried, because {PATIENCE} earlier rules timed out", kind="untried")
        failure = self._first_failure(rule)
        if failure is None:
            return PASSED, None
        if _unsaid(rule, failure):
            return NOT_ATTEMPTED, None
        if failure.status == TIMED_OUT:
            self.late.append(rule)
            self.stuck = failure.step == BEFORE and not self.loaded
        return failure.status, failure

    def _first_failure(self, rule: Rule) -> Failure | None:
        self.trial = trial = Trial(rule, self._played(rule))
        try:
            self._try(trial)
            while not trial.finished():
                self._try(trial)
        finally:
            trial.end()
        return trial.failure

    def help(self, trial: Trial) -> None:
        """Try a part of a rule that another judge is trying: the last first."""
        if trial.join():
            try:
                self._try(trial, last=True)
            except Exception:  # the other judge tries the same, with the same result
                if not self.deadline.passed:
                    show_traceback()
            finally:
                trial.leave()

    def _played(self, rule: Rule) -> list[Played]:
        """All that is played to try a rule, in this order."""
        drawn = self.known.random_scenarios(rule) if rule.drawn is not None else ()
        return [*rule.cases, *drawn, *rule.engine, *(self.exercise.full if self.full and rule.engine else ())]

    def _try(self, trial: Trial, last: bool = False) -> None:
        """Try what is left, from the first or from the ``last`` on, until something fails."""
        now, following = trial.take(last), trial.take(last)
        try:
            while now is not None:
                number, played = now
                found = self._found(trial.rule, played, following and following[1])
                if found is not None:
                    trial.fails(number, found)  # at once: what comes after it need not be tried
                    trial.fails(number, self._explained(trial.rule, played, found))
                    now = None
                    return
                now, following = following, trial.take(last)
        finally:
            trial.put_back(now, following)

    def _found(self, rule: Rule, played: Played, following: Played | None) -> Failure | None:
        """Find the failure of a scenario, without a sentence; None if there is none.

        The worker starts the ``following`` one while the judge compares the answers to this one.
        """
        scenario, stretch = _as_played(played)
        found = self._wrong(rule, scenario, stretch, following, key=self.known.key(rule, played), sparse=True)
        if found is None or found.step == BEFORE or _unsaid(rule, found):
            return found
        with contextlib.suppress(OutOfTime):
            if found.kind == "timeout":
                found = replace(found, error=self._at_loop(found.error)) if self.thrifty else found
                return self._slow_or_endless(rule, scenario, found, stretch)
            if found.difference is not None and not self._in_brief(rule):
                return self._wrong(rule, scenario, stretch) or found
        return found

    def _at_loop(self, error: dict[str, Any]) -> dict[str, Any]:
        """The place of a time-out, as it is on each computer: which line was running is chance, but not in which loop."""
        if "caller" not in error:
            return error
        file, line = error["caller_file"], error["caller_line"]
        return error | {"file": file, "line": self.submission.loop(file, line), "function": error["caller"]}

    def _in_brief(self, rule: Rule) -> bool:
        """Whether one sentence is enough for a failure of this rule."""
        return self.thrifty and (self.told_first or rule.extra)

    def _explained(self, rule: Rule, played: Played, first: Failure) -> Failure:
        """Shorten the scenario of a failure, and explain the failure."""
        if _unsaid(rule, first):
            return first
        stretch = _as_played(played)[1]
        if self._in_brief(rule):
            return self.explainer.in_brief(first, stretch)
        self.told_first = True
        try:
            return self._shortened(rule, *_as_played(played), first)
        except OutOfTime:
            return self.explainer.in_brief(first, stretch)
        except Exception:  # the answers are untrusted data; that they differ is certain
            if self.inline:
                raise
            show_traceback()
            if self.worker is not None:  # perhaps not all that it said was read
                self.worker.close()
                self.worker = None
            return self.explainer.in_brief(first, stretch)

    def _shortened(self, rule: Rule, scenario: Scenario, stretch: Golden | Boot | None, first: Failure) -> Failure:
        """The failure of the shortest scenario that can be found."""
        if first.step == BEFORE:
            return self.explainer.in_brief(first, stretch)
        if first.kind not in KINDS or not KINDS[first.kind].shrinks or isinstance(stretch, Boot):
            return self.explainer.explain(rule, scenario, first, stretch)

        tries = itertools.count()

        def fails(smaller: Scenario) -> int | None:
            if self.thrifty and next(tries) >= TRIES:
                return None
            try:
                found = self._wrong(rule, smaller, stretch)
            except LabError:
                return None
            same = found is not None and (found.kind, found.aspect) == (first.kind, first.aspect)
            return found.step if found is not None and same else None

        seconds = self.deadline.left / 2 if self.thrifty else min(SHRINKING * HERE.slowness, self.deadline.left / 10)
        small = shrink(scenario, first.step, fails, seconds)
        for tried in (*self._with_fewer_calls_in_a_step(rule, small, stretch), small, scenario):
            found = self._alone(rule, tried, stretch)
            if found is not None and found.step == BEFORE:
                return self.explainer.in_brief(found, stretch)
            if found is not None:
                explained = self.explainer.explain(rule, tried, found, stretch)
                mixed_up = self._state(MIXED_UP) if stretch is None and self._right_apart(rule, tried, found.step) else ""
                return replace(explained, sentence=explained.sentence + mixed_up)
        explained = self.explainer.explain(rule, scenario, first, stretch)
        return replace(explained, sentence=explained.sentence + self._state(LEFT_OVER))

    def _with_fewer_calls_in_a_step(self, rule: Rule, small: Scenario, stretch: Golden | Boot | None) -> Iterator[Scenario]:
        """The scenario with one call in each step if they are few; else, of the step that fails, with the last call apart."""
        singly = [read_step(step).singly() for step in small.steps]
        steps: list[StepData] = []
        for one, step in zip(singly, small.steps, strict=True):
            steps.extend(one or (step,))
        if len(steps) == len(small.steps) or len(steps) > MOST_STEPS:
            return
        apart = small.with_steps(steps)
        if len(steps) <= FEW_STEPS:
            yield apart
        elif singly[-1]:
            found = self._wrong(rule, apart, stretch)
            before = found.step - (len(steps) - len(singly[-1])) if found is not None else 0
            if before > 0:
                yield small.with_steps((*small.steps[:-1], read_step(small.steps[-1]).with_calls(before), singly[-1][before]))

    def _state(self, sentence: str) -> str:
        """This sentence about state that the submission keeps."""
        return sentence.format(*(CLASS if any("." in name for name in self.exercise.defines) else FUNCTION))

    def _right_apart(self, rule: Rule, scenario: Scenario, last: int) -> bool:
        """Whether a scenario with two machines goes right if each of them does its steps alone."""
        machines: tuple[list[StepData], list[StepData]] = ([], [])
        now = 0
        for step in scenario.steps[: last + 1]:
            if isinstance(step, dict) or step[0] not in ("another", "back"):
                machines[now].append(step)
            elif step[0] == "another" and now:
                return False  # a third machine
            else:
                now = int(step[0] == "another")
        if sum(map(len, machines)) > last:  # there is only one machine
            return False
        try:
            return all(self._alone(rule, scenario.with_steps(steps), None) is None for steps in machines if steps)
        except LabError:
            return False

    def _slow_or_endless(self, rule: Rule, scenario: Scenario, found: Failure, stretch: Golden | Boot | None) -> Failure | None:
        """Let code that was stopped run once more, with more time, and add to the failure what happened then.

        If it now needs no more than the limit, the computer was busy: the scenario is tried again, and the result of this
        counts. Only the first rule of a check does so, because it takes long. If ``thrifty``, it is left out if it was the
        code that took the time, and what happened is said in words that are the same on each computer.
        """
        limit = self._limit(scenario, stretch)
        what = str(found.error.get("what"))
        endless = self.submission.endless(found.error.get("file"), found.error.get("line"))
        if self.thrifty and not self.late and not endless:
            what += ". It is an endless loop, or very slow"
        if not self.late and not endless and not (self.thrifty and found.error.get("busy")):
            begin = time.monotonic()
            longer = scenario.with_steps(scenario.steps[: found.step + 1])
            worker = self._ready()
            if worker.failed is not None:
                return found
            run = worker.run(longer, rule.looks, stretch is not None, seconds=limit * LONGER)
            self.deadline.check()
            seconds = time.monotonic() - begin
            self._collect(worker)
            if run.end == "done" and seconds <= limit:
                return self._alone(rule, scenario, stretch)
            if run.end == "timeout" and not self.thrifty:
                further = f" and got to step {len(run.seen) + 1}" if len(run.seen) > found.step else ""
                what += f". With {LONGER:g} times as much it did not end either{further}: it is an endless loop, or very slow"
            elif run.end == "done" and not self.thrifty:
                what += f". With more time it ended after {seconds:.1f} seconds: it is slow, but not endless"
        return replace(found, error=found.error | {"what": what})

    def _alone(self, rule: Rule, scenario: Scenario, stretch: Golden | Boot | None) -> Failure | None:
        """Find the failure in a new process, which holds no state from other scenarios."""
        if self.worker is not None and not self.inline:
            self.worker.close()
            self.worker = None
        return self._wrong(rule, scenario, stretch)

    def _wrong(
        self,
        rule: Rule,
        scenario: Scenario,
        stretch: Golden | Boot | None,
        following: Played | None = None,
        key: str = "",
        sparse: bool = False,
    ) -> Failure | None:
        """Find the failure of a scenario, with an empty sentence; None if there is none.

        ``key`` names it in `KnownAnswers`. ``sparse``: observe only after the steps that run the submission's code.
        """
        worker = self._ready()
        if worker.failed is not None:
            return Failure("", kind=str(worker.failed.get("kind", "raised")), step=BEFORE, error=worker.failed)
        hashed, whole = stretch is not None, scenario is as_scenario(stretch) if stretch is not None else False
        expected: list[Observed] = []
        refused: list[LabError] = []

        def meanwhile() -> None:
            if following is not None:
                one, of = _as_played(following)
                worker.ask(one, rule.looks, of is not None, True, None, self._limit(one, of))
            if key not in self.known.digests:
                play()

        def play() -> None:
            try:
                expected.append(self.expected(scenario, rule.looks, stretch if whole else None, hashed=hashed, sparse=sparse))
                if key and not expected[0][1]:
                    self.known.learn(key, expected[0][0].texts)
            except LabError as error:  # a shortened scenario may be invalid; its answers are read anyway
                refused.append(error)

        worker.printed = b""
        run = worker.run(scenario, rule.looks, hashed, sparse, seconds=self._limit(scenario, stretch), meanwhile=meanwhile)
        if self._may_be_spared(run.error):
            return self._wrong(rule, scenario, stretch, following, key, sparse)
        self.killed[False] = 0
        if not expected and not refused and not (run.end == "done" and self.known.right(key, run.seen.texts)):
            play()
        if refused:
            raise refused[0]
        found = find_failure(rule, run, *expected[0]) if expected else None
        if found is not None and run.end == "timeout":
            self.deadline.check()  # it may be the check as a whole that has no more time
        if found is not None and worker.alive:
            worker.settle()
            worker.drain()
        self._collect(worker)
        return found and replace(found, printed=printable(worker.printed.decode(errors="replace")))

    def _play(self, scenario: Scenario, looks: tuple[str, ...], detail: int | None) -> Run:
        """Play a scenario once more, to explain it."""
        worker = self._ready()
        if self.hurried or worker.failed is not None:
            return Run(end="died")
        run = worker.run(scenario, looks, detail=detail, seconds=min(TIME.value * ENGINE, self.deadline.left / 4))
        if self._may_be_spared(run.error):
            return self._play(scenario, looks, detail)
        self.killed[False] = 0
        self.hurried = run.end == "timeout"
        return run

    def _limit(self, scenario: Scenario, stretch: Golden | Boot | None) -> float:
        """The time limit for a scenario, in seconds."""
        if stretch is not None:
            return TIME.value * (FULL if self.full else ENGINE)
        many = sum(map(calls, scenario.steps)) // 1000
        return TIME.value * (max(1.0, len(scenario.steps) / STEPS) + many * THOUSAND_CALLS)

    def _ready(self) -> Worker | Inline:
        """Return a worker with the submission; if it can't be loaded, the worker that failed."""
        if self.worker is None or (not self.worker.alive and self.worker.failed is None):
            if self.inline:
                self.worker = Inline(self.exercise, self.submission)
            elif HERE.in_browser:
                self.worker = self._in_tab()
            else:
                options: dict[str, Any] = {"secret": self.secret} | ({"grace": LONG_GRACE} if self.thrifty else {})
                self.worker = Worker(self.exercise, self.submission, self.server, self.deadline, **options)
            self._collect(self.worker)
            if self.worker.failed is not None and self._may_be_spared(self.worker.failed, early=True):
                self.worker = None
                return self._ready()
            self.killed[True] = 0
            if self.worker.failed is None:
                self.loaded = True
            else:
                self.deadline.check()
                if self.loaded:
                    self.worker.failed["what"] = f"{self.worker.failed.get('what', '')}{NOT_AGAIN}"
        return self.worker

    def _may_be_spared(self, error: dict[str, Any], early: bool = False) -> bool:
        """Whether a worker ended as if something else had killed it, and this has not happened too often.

        ``early``: before it played a scenario. That is counted apart, so that the count is the submission's own.
        """
        if error.get("lost") and self.lost < LOST:
            self.lost += 1
            return True
        self.killed[early] += bool(error.get("killed"))
        return bool(error.get("killed")) and self.killed[early] <= AGAIN

    def _in_tab(self) -> Worker | Inline:
        """A worker of this browser tab. If it can have none, the submission runs here, and the report says so."""
        try:
            if not self.no_worker:
                self.tab = self.tab or Tab(find_host())
        except NoHost as error:
            self.no_worker = str(error)
        if self.tab is not None:
            return TabWorker(self.tab, self.exercise, self.submission, self.deadline, secret=self.secret)
        from .sandbox.in_kernel import InKernel  # only here: it needs what a worker needs

        return InKernel(self.exercise, self.submission)

    def _collect(self, worker: Worker | Inline) -> None:
        """Collect what the submission printed."""
        self.printed = self.printed or printable(worker.printed.decode(errors="replace"))
        self.print_count += worker.print_count
        worker.print_count = 0

    def close(self) -> None:
        """Terminate the workers, and the fork server if this judge started it."""
        if self.worker is not None:
            self.worker.close()
            self.worker = None
        if self.tab is not None:
            self.tab.close()
            self.tab = None
        if self.owned is not None:
            self.owned.close()
            self.owned = None


def show_traceback() -> None:
    """Print the traceback of an exception that became a verdict, if that is asked for."""
    if os.environ.get(DEBUG):
        traceback.print_exc(file=sys.stderr)


def _as_played(played: Played) -> tuple[Scenario, Golden | Boot | None]:
    """A scenario, and the trace or boot that it is derived from."""
    return (played, None) if isinstance(played, Scenario) else (as_scenario(played), played)


def _unsaid(rule: Rule, failure: Failure) -> bool:
    """Whether an extra rule has nothing to compare: a submission is not required to reveal how it stores its data."""
    return rule.extra and failure.difference is not None and failure.difference.got is None
